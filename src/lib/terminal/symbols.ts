import isUnicodeSupported from 'is-unicode-supported'

/** What stands for our symbols where a terminal has none: the console of older Windows, the one of Linux itself. */
const PLAIN: Readonly<Record<string, string>> = {
  '…': '~',
  '→': '->',
  '“': '"',
  '”': '"',
  '▁': '_',
  '▂': '.',
  '▃': ',',
  '▄': '-',
  '▅': '~',
  '▆': '=',
  '▇': '*',
  '█': '#',
}
const SYMBOLS = new RegExp(`[${Object.keys(PLAIN).join('')}]`, 'g')

/**
 * A text for a stream: in a terminal without our symbols, with others in their place. Names of people stay as they are.
 * @param hasSymbols whether the terminal has them
 */
export function withSymbols(
  text: string,
  { isTTY }: { isTTY?: boolean },
  hasSymbols: () => boolean = isUnicodeSupported,
): string {
  return isTTY && !hasSymbols() ? text.replace(SYMBOLS, (symbol) => PLAIN[symbol] ?? symbol) : text
}
