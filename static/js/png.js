// A chart as a PNG file. Plotly's own way draws a blob:, which the page's policy does not let in.
const SCALE = 2; // sharp on paper

/** Save a drawn Plotly chart with its title and its legend, on the colour of its card. */
export async function savePng(plot, title, name, { width = 1200, height = 700 } = {}) {
  const image = new Image();
  const font = plot.layout.yaxis.tickfont;
  const layout = {
    ...plot.layout,
    title: { text: title, font: { ...font, size: 16 } },
    showlegend: true,
    legend: { font, orientation: "h", y: 1.06 },
    margin: { l: 64, r: 16, t: 72, b: 48 },
  };
  const figure = { data: plot.data, layout };
  image.src = await globalThis.Plotly.toImage(figure, { format: "svg", width, height });
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(plot.closest(".panel")).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
