// Sets the theme before the first paint. A classic script on purpose: a module would come too late.
{
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.bsTheme = kept;
}
