// How numbers become text on this page.

export const number = (value, digits = 3) => (
  value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−"));

export const bounds = (one, say) => (
  one.low === null || one.low === undefined ? "" : say("to", { low: number(one.low), high: number(one.high) }));

export const interval = (one, say) => {
  if (!one || one.value === null) return "–";
  const between = bounds(one, say);
  return between ? `${number(one.value)} (${between})` : number(one.value);
};

export function duration(seconds, say) {
  const whole = Math.round(seconds);
  if (whole < 60) return say("seconds", { s: whole });
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? say("minutes", { m: minutes, s: whole % 60 }) : say("hours", { h: Math.floor(minutes / 60), m: minutes % 60 });
}
