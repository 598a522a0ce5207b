"""Forms of accounts and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import (
    AuthenticationForm,
    BaseUserCreationForm,
    PasswordChangeForm,
    SetPasswordForm,
)
from django.contrib.auth.models import User

from maxft_site.web.models import ApiToken

if TYPE_CHECKING:
    CreationForm = BaseUserCreationForm[User]
    PasswordForm = SetPasswordForm[User]
    UserForm = forms.ModelForm[User]
else:
    CreationForm, PasswordForm, UserForm = BaseUserCreationForm, SetPasswordForm, forms.ModelForm

PASSWORD_HELP = "At least 8 characters; no common word, not only digits."


class SignInForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        "invalid_login": "This user name and password don't go together.",
        "inactive": "This account is locked.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"


class OwnerForm(CreationForm):
    """The first account of a site."""

    class Meta:
        model = User
        fields = ("username",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"
        self.fields["username"].help_text = "Letters, digits and @ . + - _"
        self.fields["password1"].help_text = PASSWORD_HELP
        self.fields["password2"].label = "Password again"
        self.fields["password2"].help_text = ""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002
        self.instance.is_staff = self.instance.is_superuser = True
        return super().save(commit=commit)


class NewPasswordForm(PasswordChangeForm):
    """Old password, new password twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = "Present password"
        self.fields["new_password1"].help_text = PASSWORD_HELP
        self.fields["new_password2"].label = "New password again"
        self.fields["new_password2"].help_text = ""


class ChoosePasswordForm(PasswordForm):
    """A password, twice: of an account that is invited."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password1"].label = "Password"
        self.fields["new_password1"].help_text = PASSWORD_HELP
        self.fields["new_password2"].label = "Password again"
        self.fields["new_password2"].help_text = ""


class InviteForm(UserForm):
    """A new account, whose password its person chooses."""

    role = forms.ChoiceField(
        choices=[("member", "Member"), ("owner", "Owner")],
        help_text="An owner sees and stops everything, and invites others.",
    )

    class Meta:
        model = User
        fields = ("username",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"
        self.fields["username"].help_text = "Letters, digits and @ . + - _"

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002
        is_owner = self.cleaned_data["role"] == "owner"
        self.instance.is_staff = self.instance.is_superuser = is_owner
        self.instance.set_unusable_password()
        person: User = super().save(commit=commit)
        return person


class TokenForm(forms.Form):
    """A new key: the name by which its owner knows it again, what it opens, and how long."""

    name = forms.CharField(
        max_length=100,
        label="What the new key is for",
        widget=forms.TextInput({"placeholder": "nightly runs"}),
    )
    scope = forms.ChoiceField(
        choices=ApiToken.Scope.choices,
        initial=ApiToken.Scope.WRITE,
        label="What it opens",
        required=False,
    )
    days = forms.TypedChoiceField(
        choices=[(30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked")],
        coerce=int,
        initial=90,
        label="How long",
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        """What is not sent is as the form has it at first."""
        return {
            name: self.get_initial_for_field(self.fields[name], name) if value == "" else value
            for name, value in self.cleaned_data.items()
        }
