import wrapAnsi from 'wrap-ansi'

/**
 * Joins lines, those that are too long for a terminal broken between words; in a pipe each stays one line.
 * @param stream where they go; a terminal tells its width in characters
 */
export function wrapLines(lines: readonly string[], stream: { isTTY?: boolean; columns?: number }): string {
  const { columns } = stream
  if (!stream.isTTY || !columns) return lines.join('\n')
  return lines
    .map((line) => (line.length > columns ? wrapAnsi(line, columns, { trim: false }) : line))
    .join('\n')
}
