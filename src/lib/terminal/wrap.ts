import { withSymbols } from './symbols.js'
import { widthOf, wrapped } from './text-width.js'

/**
 * Joins lines, those that are too long for a terminal broken between words; in a pipe each stays one line.
 * @param stream where they go; a terminal tells its width in columns, of which some characters take two
 */
export function wrapLines(texts: readonly string[], stream: { isTTY?: boolean; columns?: number }): string {
  const { columns } = stream
  const lines = texts.map((text) => withSymbols(text, stream))
  if (!stream.isTTY || !columns) return lines.join('\n')
  return lines.map((line) => (widthOf(line) > columns ? wrapLine(line, columns) : line)).join('\n')
}

/** Breaks a line between words; what follows stands as far in as the line did. */
function wrapLine(line: string, columns: number): string {
  const indent = /^ */.exec(line)?.[0] ?? ''
  return wrapped(line.slice(indent.length), columns - indent.length).replace(/^/gm, indent)
}
