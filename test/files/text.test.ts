import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BadFileError, ClassKeysError, UsageError } from '../../src/lib/core/errors.js'
import { readText, readTextIfThere } from '../../src/lib/files/text.js'
import { useFolder } from '../support/folder.js'

useFolder()

const TEXT = 'name\nZoë 王\n'
const utf16be = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()

describe('readText', () => {
  it.each([
    ['UTF-8', Buffer.from(TEXT)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${TEXT}`)],
    ['UTF-16, little end first', Buffer.from(`\ufeff${TEXT}`, 'utf16le')],
    ['UTF-16, big end first', utf16be(TEXT)],
    ['UTF-16 without a byte order mark, little end first', Buffer.from(TEXT, 'utf16le')],
    ['UTF-16 without a byte order mark, big end first', Buffer.from(TEXT, 'utf16le').swap16()],
  ])('reads %s', async (_, bytes) => {
    writeFileSync('roster.csv', bytes)
    expect(await readText('roster.csv', 'roster')).toBe(TEXT)
  })

  it('reads an empty file', async () => {
    writeFileSync('roster.csv', '')
    expect(await readText('roster.csv', 'roster')).toBe('')
  })

  it.each([
    ['Latin-1', Buffer.from('a\nb\nZo\xeb\n', 'latin1'), 3],
    ['Latin-1 in the first line', Buffer.from('\xe9\n', 'latin1'), 1],
    ['a sequence that breaks off at the end', Buffer.from([0x61, 0x0a, 0xe7, 0x8e]), 2],
    ['a sequence that breaks off at a line’s end', Buffer.from([0x61, 0x0a, 0xe7, 0x8e, 0x0a, 0x62]), 2],
    ['a zip file, as spreadsheets are', Buffer.from([0x50, 0x4b, 0x03, 0x04, 0x0a, 0xff, 0xfe]), 2],
    ['UTF-16 with half a character', Buffer.from([0xff, 0xfe, 0x61]), 1],
  ])('refuses %s, and says where', async (_, bytes, line) => {
    writeFileSync('roster.csv', bytes)
    const error = await readText('roster.csv', 'roster').catch((e) => e)
    expect(error).toBeInstanceOf(BadFileError)
    expect(error).toMatchObject({ file: 'roster.csv', exitCode: 2 })
    expect(error.problems).toEqual([
      { line, message: 'is not UTF-8; save the file as “CSV UTF-8” in the spreadsheet' },
    ])
  })

  it.each([
    ['a few NUL bytes', Buffer.from('a,b\n1\0,2\r\n3,4\n\0,\0\n'), [2, 4]],
    ['NUL bytes at the end, as a broken disk leaves them', Buffer.from(`a,b\n${'\0'.repeat(500)}`), [2]],
    ['nothing but NUL bytes', Buffer.alloc(4096), [1]],
    ['a NUL byte in UTF-16', Buffer.from('\ufeffa,b\n1\0,2\n', 'utf16le'), [2]],
  ])('refuses %s, and says where', async (_, bytes, lines) => {
    writeFileSync('roster.csv', bytes)
    const error = await readText('roster.csv', 'roster').catch((e) => e)
    expect(error).toBeInstanceOf(BadFileError)
    expect(error.problems).toEqual(
      lines.map((line) => ({
        line,
        message: 'holds a NUL byte, which no text has; save the file as “CSV UTF-8” in the spreadsheet',
      })),
    )
  })

  it('says that a file is missing', async () => {
    const error = await readText('roster.csv', 'roster').catch((e) => e)
    expect(error).toBeInstanceOf(UsageError)
    expect(error).toMatchObject({ code: 'file_missing', message: 'There is no roster at roster.csv.' })
  })

  it('says that a folder is not a file', async () => {
    mkdirSync('roster.csv')
    const error = await readText('roster.csv', 'roster').catch((e) => e)
    expect(error).toBeInstanceOf(UsageError)
    expect(error).toMatchObject({ code: 'file_unreadable', message: 'roster.csv is a folder, not a roster.' })
  })

  it('says that a path leads through a file', async () => {
    writeFileSync('file', '')
    const error = await readText('file/roster.csv', 'roster').catch((e) => e)
    expect(error).toBeInstanceOf(ClassKeysError)
    expect(error).toMatchObject({
      code: 'file_unreadable',
      message: 'file/roster.csv cannot be read (ENOTDIR).',
    })
  })
})

describe('readTextIfThere', () => {
  it('gives the text, or nothing where there is no file', async () => {
    expect(await readTextIfThere('roster.csv', 'roster')).toBeUndefined()
    writeFileSync('roster.csv', TEXT)
    expect(await readTextIfThere('roster.csv', 'roster')).toBe(TEXT)
  })

  it('does not take a file that cannot be read for one that is missing', async () => {
    mkdirSync('roster.csv')
    await expect(readTextIfThere('roster.csv', 'roster')).rejects.toMatchObject({ code: 'file_unreadable' })
    writeFileSync('bad.csv', Buffer.from([0xff]))
    await expect(readTextIfThere('bad.csv', 'roster')).rejects.toThrow(BadFileError)
  })
})
