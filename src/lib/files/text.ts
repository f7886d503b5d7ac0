import { readFile } from 'node:fs/promises'
import { BadFileError, ClassKeysError, UsageError } from '../core/errors.js'

/**
 * Reads a text file as spreadsheets write them: UTF-8 or UTF-16, with or without a byte order mark.
 * @throws UsageError `file_missing` where it does not exist, BadFileError where it is in no encoding that we read
 */
export async function readText(path: string, what: string): Promise<string> {
  const bytes = await readBytes(path, what)
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : isUtf16be(bytes) ? 'utf-16be' : 'utf-8'
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    const problem = {
      line: lineOfBadByte(bytes),
      message: 'is not UTF-8; save the file as “CSV UTF-8” in the spreadsheet',
    }
    throw new BadFileError(path, [problem], 'Nothing was read from it.')
  }
}

/** Whether a file is there at all. */
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

function isUtf16be(bytes: Buffer): boolean {
  return bytes[0] === 0xfe && bytes[1] === 0xff
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
