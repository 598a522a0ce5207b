// Attachments: the text of a file becomes part of the message. The file itself is never sent.

export function watchAttachments(message, showProblem) {
  const button = document.getElementById("attach");
  const picker = document.getElementById("attached");
  button.hidden = false;
  button.addEventListener("click", () => picker.click());
  picker.addEventListener("change", async () => {
    showProblem(null);
    try {
      for (const file of picker.files) attach(message, file.name, await textOf(file, message));
    } catch (error) {
      showProblem(error);
    }
    picker.value = "";
    message.focus();
  });
}

/** Raises {message, hint} where it is no text or does not fit. */
async function textOf(file, message) {
  const room = message.maxLength - message.value.length;
  // A character takes up to four bytes, so that more of them can't fit.
  if (file.size > 4 * room) throw tooLong(file, message);
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw { message: `${file.name} is no text in UTF-8.`, hint: "Save it as a text file first." };
  }
  if (text.includes("\0"))
    throw { message: `${file.name} is no text file.`, hint: "Copy the text out of it." };
  if (quoted(file.name, text).length > room) throw tooLong(file, message);
  return text;
}

const tooLong = (file, message) => ({
  message: `${file.name} does not fit: a message has at most ${message.maxLength.toLocaleString("en")} characters.`,
  hint: "Attach a part of it.",
});

function attach(message, name, text) {
  message.value += quoted(name, text);
  message.dispatchEvent(new Event("input", { bubbles: true }));
}

/** In a fence that is longer than any within the text. */
function quoted(name, text) {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `\n\n${name}:\n${fence}\n${text.trimEnd()}\n${fence}\n`;
}
