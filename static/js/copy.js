// Buttons with data-copy="id": put that element's text on the clipboard.
import { toast } from "./toast.js";

export function watchCopy() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const text = source.value ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.");
    } catch {
      // Not allowed, or no clipboard without https: leave it selected for the keyboard.
      getSelection().selectAllChildren(source);
      source.select?.();
      toast("Selected. Press Ctrl+C to copy.", { level: "warning" });
    }
  });
}
