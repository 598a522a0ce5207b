// Keyboard shortcuts of every page: "/" and Ctrl+K (or Command+K) lead to the search field.

export function watchShortcuts() {
  const field = document.querySelector(".topbar-search input");
  if (!field) return;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !asksForSearch(event)) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}

function asksForSearch(event) {
  const { key, altKey, ctrlKey, metaKey, shiftKey, target } = event;
  if (key === "/") return !(altKey || ctrlKey || metaKey) && !isTyping(target);
  return key.toLowerCase() === "k" && ctrlKey !== metaKey && !altKey && !shiftKey;
}

const isTyping = (target) => target.isContentEditable || target.matches("input, textarea, select");
