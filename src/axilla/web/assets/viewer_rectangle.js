// The one rectangle on an image: whole px {left, top, width, height}, always inside the image.

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// Returns the rectangle moved into the image, and no larger than it.
export function within(image, roi) {
  const width = clamp(Math.round(roi.width), 1, image.width);
  const height = clamp(Math.round(roi.height), 1, image.height);
  return {
    left: clamp(Math.round(roi.left), 0, image.width - width),
    top: clamp(Math.round(roi.top), 0, image.height - height), width, height,
  };
}

// Returns the rectangle between two points, as far as it lies in the image; null if nothing does.
export function between(image, a, b) {
  const [left, right] = [a.x, b.x].sort((m, n) => m - n).map((v) => clamp(Math.round(v), 0, image.width));
  const [top, bottom] = [a.y, b.y].sort((m, n) => m - n).map((v) => clamp(Math.round(v), 0, image.height));
  return right > left && bottom > top ? { left, top, width: right - left, height: bottom - top } : null;
}

// Returns the rectangle with the sides that a handle (n, ne, e, …) holds moved; null if none is left.
export function sized(image, roi, handle, by) {
  let [left, top, right, bottom] = [roi.left, roi.top, roi.left + roi.width, roi.top + roi.height];
  if (handle.includes("w")) left += by.x;
  if (handle.includes("e")) right += by.x;
  if (handle.includes("n")) top += by.y;
  if (handle.includes("s")) bottom += by.y;
  return between(image, { x: left, y: top }, { x: right, y: bottom });
}

export function moved(image, roi, by) {
  return within(image, { ...roi, left: roi.left + by.x, top: roi.top + by.y });
}

// Returns the rectangle with its right and lower side moved.
export function grown(image, roi, by) {
  return {
    ...roi,
    width: clamp(roi.width + by.x, 1, image.width - roi.left),
    height: clamp(roi.height + by.y, 1, image.height - roi.top),
  };
}

export function covers(roi, { x, y }) {
  return Boolean(roi) && x >= roi.left && x <= roi.left + roi.width && y >= roi.top && y <= roi.top + roi.height;
}

// Returns the size and place in words, in mm too where the size of a pixel is known.
export function described(image, roi, words) {
  if (!roi) return words.none;
  const mm = image?.pixelMm;
  const inMm = mm ? `, ${(roi.width * mm).toFixed(1)} × ${(roi.height * mm).toFixed(1)} ${words.mm}` : "";
  return `${roi.width} × ${roi.height} ${words.px}${inMm} (${words.at} ${roi.left}, ${roi.top})`;
}
