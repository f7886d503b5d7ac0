import { readFile } from 'node:fs/promises'
import { BadFileError, ClassKeysError, UsageError } from '../core/errors.js'

/** So many bytes tell the encoding: about as many as a header has. */
const SAMPLE = 64
const ADVICE = 'save the file as “CSV UTF-8” in the spreadsheet'

/**
 * Reads a text file as spreadsheets write them: UTF-8 or UTF-16, each with or without a byte order mark.
 * @throws UsageError `file_missing` where it does not exist, BadFileError where it is in no encoding that we read,
 *   or holds NUL bytes
 */
export async function readText(path: string, what: string): Promise<string> {
  const bytes = await readBytes(path, what)
  const text = decoded(bytes)
  const problems =
    text === undefined
      ? [{ line: lineOfBadByte(bytes), message: `is not UTF-8; ${ADVICE}` }]
      : linesWith('\0', text).map((line) => ({
          line,
          message: `holds a NUL byte, which no text has; ${ADVICE}`,
        }))
  if (text === undefined || problems.length > 0)
    throw new BadFileError(path, problems, 'Nothing was read from it.')
  return text
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function linesWith(character: string, text: string): number[] {
  return text.split(/\r\n?|\n/).flatMap((line, i) => (line.includes(character) ? [i + 1] : []))
}

/** The same, or undefined where there is no file. */
export async function readTextIfThere(path: string, what: string): Promise<string | undefined> {
  try {
    return await readText(path, what)
  } catch (error) {
    if (error instanceof UsageError && error.code === 'file_missing') return undefined
    throw error
  }
}

async function readBytes(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw new UsageError('file_missing', `There is no ${what} at ${path}.`)
    if (code === 'EISDIR') throw new UsageError('file_unreadable', `${path} is a folder, not a ${what}.`)
    throw new ClassKeysError('file_unreadable', `${path} cannot be read (${code ?? 'unknown reason'}).`)
  }
}

/** By the byte order mark, or, without one, by the NUL bytes that UTF-16 puts beside each letter of the header. */
function encodingOf(bytes: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  const pairs = Math.min(bytes.length, SAMPLE) >> 1
  let first = 0
  let second = 0
  for (let i = 0; i < pairs; i++) {
    if (bytes[2 * i] === 0) first++
    if (bytes[2 * i + 1] === 0) second++
  }
  // A file of another kind has NUL bytes on both sides, a damaged one has few.
  if (second > pairs / 2 && first * 10 < second) return 'utf-16le'
  if (first > pairs / 2 && second * 10 < first) return 'utf-16be'
  return 'utf-8'
}

/** The line with the first byte sequence that is not UTF-8; the whole file is decoded up to each line's end. */
function lineOfBadByte(bytes: Buffer): number {
  let line = 1
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline
    if (bytes.subarray(start, end).toString('utf8').includes('\ufffd')) return line
    start = end + 1
  }
  return 1
}
