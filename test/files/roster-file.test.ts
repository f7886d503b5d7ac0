import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BadFileError } from '../../src/lib/core/errors.js'
import { loadRoster, loadRosterIfThere } from '../../src/lib/files/roster-file.js'
import { aStudent } from '../core/make.js'
import { useFolder } from '../support/folder.js'

useFolder()

const HEADER = 'first_name,last_name,email,mq_id,budget,limit_reset'
const TEXT = `${HEADER}\nAda,Quill,ada.quill@students.example.edu,48200001,3,\n`

describe.each([
  ['loadRoster', loadRoster],
  ['loadRosterIfThere', loadRosterIfThere],
])('%s', (_, load) => {
  it.each([
    ['UTF-8', Buffer.from(TEXT)],
    ['UTF-16 with tabs', Buffer.from(`\ufeff${TEXT.replaceAll(',', '\t')}`, 'utf16le')],
    ['UTF-16 without a byte order mark', Buffer.from(TEXT, 'utf16le')],
  ])('reads %s', async (_encoding, bytes) => {
    writeFileSync('roster.csv', bytes)
    expect(await load('roster.csv')).toEqual({ students: [aStudent()] })
  })

  it('throws every problem at once', async () => {
    writeFileSync('roster.csv', `${HEADER}\nAda,Quill,ada,48-1,lots,\n`)
    const error = await load('roster.csv').catch((e) => e)
    expect(error).toBeInstanceOf(BadFileError)
    expect(error).toMatchObject({ file: 'roster.csv', exitCode: 2 })
    expect(error.problems.map(({ column }: { column: string }) => column)).toEqual([
      'email',
      'mq_id',
      'budget',
    ])
    expect(error.message).toBe(
      'roster.csv has 3 problems. Nothing was sent to OpenRouter. Mend the file and run the same command again.',
    )
  })

  it.each([
    ['only a header', `${HEADER}\n\n,,,,,\n`, 'has no students'],
    ['nothing', '', 'the file is empty'],
  ])('refuses a file with %s', async (_what, text, message) => {
    writeFileSync('roster.csv', text)
    const error = await load('roster.csv').catch((e) => e)
    expect(error).toBeInstanceOf(BadFileError)
    expect(error.problems).toEqual([{ message }])
  })

  it('refuses a folder', async () => {
    mkdirSync('roster.csv')
    await expect(load('roster.csv')).rejects.toMatchObject({ code: 'file_unreadable', exitCode: 2 })
  })
})

it('says what to do without a roster', async () => {
  const error = await loadRoster('class/roster.csv').catch((e) => e)
  expect(error).toMatchObject({ code: 'roster_missing', exitCode: 2 })
  expect(error.message).toBe(
    'There is no roster at class/roster.csv. Name it with --roster, or put it there: first_name,last_name,email,mq_id,budget,limit_reset.',
  )
})

it('does without a roster where it may', async () => {
  expect(await loadRosterIfThere('roster.csv')).toBeUndefined()
})
