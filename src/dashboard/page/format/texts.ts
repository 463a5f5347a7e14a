// Texts of devices as people may read them. HTML in them is text anyway: nothing on the page is made of HTML in a string.

/** Control characters, and those that turn the order of the characters behind them. */
const ACTIVE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** `\u202e` in place of a character that would turn `gnp.exe` into `exe.png`. */
export function visible(text: string): string {
  return text.replace(ACTIVE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
