import { styleText } from 'node:util'

/** What `styleText` of Node.js takes: `red`, `bold`, … */
export type Style = Parameters<typeof styleText>[0]

/**
 * Whether a stream takes colour: `FORCE_COLOR` says so, `NO_COLOR` and a dumb terminal say no, else a terminal
 * does. See https://no-color.org.
 */
export function takesColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0'
  return stream.isTTY === true && env.TERM !== 'dumb'
}

/** A text in a style where the stream takes colour, else the text. */
export function paint(style: Style, text: string, stream: { isTTY?: boolean } = process.stdout): string {
  return takesColour(stream) ? styleText(style, text, { validateStream: false }) : text
}
