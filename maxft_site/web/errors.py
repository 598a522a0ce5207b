"""HTTP's word for a failure that a user can act on."""

from maxaillm.dev.finetune.errors import ConfigError, FineTuneError


def status_of(error: FineTuneError) -> int:
    """The status an error of the site names itself (`status = 409`), else 422 or 400."""
    fallback = 422 if isinstance(error, ConfigError) else 400
    return int(getattr(error, "status", fallback))
