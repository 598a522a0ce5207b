// Destructive acts ask once, in a <dialog>: data-confirm="Delete run 7? …" data-confirm-yes="Delete run 7".

/** Ask; true where the user agrees. Escape and Cancel mean no. */
export function ask(text, yes = "Go on") {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("#confirm-text").textContent = text;
  dialog.querySelector("[data-confirm-button]").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }),
  );
}

const question = (element) => ask(element.dataset.confirm, element.dataset.confirmYes);

/** Forms and their buttons: hold the submit back, ask, then send it with the same button. */
export function watchConfirms() {
  const agreed = new WeakSet();
  document.addEventListener(
    "submit",
    async (event) => {
      const form = event.target;
      const asker = [event.submitter, form].find((element) => element?.dataset.confirm);
      if (!asker || agreed.delete(form)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!(await question(asker))) return;
      agreed.add(form);
      form.requestSubmit(event.submitter);
    },
    { capture: true },
  );
}
