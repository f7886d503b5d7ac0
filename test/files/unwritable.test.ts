import { expect, it } from 'vitest'
import { isHeldOpen, unwritableWords } from '../../src/lib/files/unwritable.js'

const limits = (code: string | undefined, beside: string[]) => ({
  name: 'limits.csv',
  folder: '.',
  code,
  beside,
})

it.each([
  [['limits.csv', '.~lock.limits.csv#'], 'LibreOffice'],
  [['limits.csv', '~$limits.csv'], 'Excel'],
  [['limits.csv', '~$other.csv'], 'the spreadsheet (Excel, most likely)'],
])('on Windows, a file that a program beside %j has open is to be closed there', (beside, program) => {
  for (const code of ['EPERM', 'EACCES', 'EBUSY']) {
    expect(unwritableWords(limits(code, beside), 'win32')).toBe(
      `limits.csv cannot be replaced: another program has it open. Close it in ${program}, then run class-keys again. Nothing is lost: the file is as it was.`,
    )
  }
})

it.each<[string | undefined, string[], NodeJS.Platform, string]>([
  ['EACCES', ['limits.csv'], 'linux', 'permission denied'],
  ['EPERM', ['limits.csv'], 'darwin', 'permission denied'],
  ['EPERM', [], 'win32', 'permission denied'],
  ['ENOSPC', ['limits.csv'], 'win32', 'the disk is full'],
  ['EWEIRD', ['limits.csv'], 'win32', 'EWEIRD'],
  [undefined, [], 'linux', 'unknown reason'],
])('%s with %j on %s is a folder that takes no files: %s', (code, beside, platform, reason) => {
  expect(unwritableWords(limits(code, beside), platform)).toBe(
    `limits.csv cannot be written in . (${reason}). Run class-keys in a folder that you may write to.`,
  )
})

it('is only Windows that keeps a file for the program that has it open', () => {
  expect(isHeldOpen('EBUSY', 'win32')).toBe(true)
  expect([
    isHeldOpen('EBUSY', 'linux'),
    isHeldOpen('EPERM', 'darwin'),
    isHeldOpen('ENOSPC', 'win32'),
  ]).toEqual([false, false, false])
})
