import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BadFileError } from '../../src/lib/core/errors.js'
import { type LimitsRow, nextLimits } from '../../src/lib/core/next-limits.js'
import { loadLimits, loadLimitsIfThere, saveLimits } from '../../src/lib/files/limits-file.js'
import { aKey } from '../core/make.js'
import { modeOf, names, useFolder } from '../support/folder.js'

useFolder()

const NINE = 'email,name,mq_id,target_limit,actual_limit,target_disabled,actual_disabled,key_name,hash'
const HEADER = `${NINE},target_limit_reset,actual_limit_reset`
const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '48200001' }

const row = (over: Partial<LimitsRow> = {}): LimitsRow => ({
  ...ADA,
  targetLimit: '',
  targetDisabled: '',
  targetLimitReset: '',
  keyName: '20260219_Ada Quill_48200001',
  hash: 'h1',
  actual: { limit: 3, disabled: false, limitReset: null },
  extra: new Map(),
  ...over,
})

describe('saveLimits', () => {
  it.each<[string, LimitsRow[], string]>([
    ['no rows', [], ''],
    [
      'a row',
      [row()],
      'ada@example.edu,Ada Quill,48200001,,3.00,,false,20260219_Ada Quill_48200001,h1,,none\n',
    ],
    [
      'targets as they were written',
      [row({ targetLimit: '$5', targetDisabled: 'YES' })],
      'ada@example.edu,Ada Quill,48200001,$5,3.00,YES,false,20260219_Ada Quill_48200001,h1,,none\n',
    ],
    [
      'no limit, and a limit of zero',
      [
        row({ actual: { limit: null, disabled: true, limitReset: null } }),
        row({ actual: { limit: 0, disabled: false, limitReset: null } }),
      ],
      'ada@example.edu,Ada Quill,48200001,,unlimited,,true,20260219_Ada Quill_48200001,h1,,none\n' +
        'ada@example.edu,Ada Quill,48200001,,0.00,,false,20260219_Ada Quill_48200001,h1,,none\n',
    ],
    [
      'a reset period, and one that is asked for as it was written',
      [
        row({
          targetLimitReset: 'Weekly',
          actual: { limit: 3, disabled: false, limitReset: 'daily' },
        }),
      ],
      'ada@example.edu,Ada Quill,48200001,,3.00,,false,20260219_Ada Quill_48200001,h1,Weekly,daily\n',
    ],
    [
      'a key that is gone',
      [row({ targetLimit: '5', actual: undefined })],
      'ada@example.edu,Ada Quill,48200001,5,,,,20260219_Ada Quill_48200001,h1,,\n',
    ],
    [
      'a name that a spreadsheet would run',
      [row({ name: '=1 Quill', keyName: '+x' })],
      `ada@example.edu,"'=1 Quill",48200001,,3.00,,false,"'+x",h1,,none\n`,
    ],
  ])('writes %s', async (_, rows, text) => {
    await saveLimits('limits.csv', rows)
    expect(readFileSync('limits.csv', 'utf8')).toBe(`${HEADER}\n${text}`)
    expect(names()).toEqual(['limits.csv'])
  })

  it('writes the instructor’s own columns behind ours, empty where a row has none', async () => {
    const rows = [
      row(),
      row({ hash: 'h2', extra: new Map([['My Notes', 'tutor, "star"']]) }),
      row({ hash: 'h3', extra: new Map([['Group', '-7']]) }),
    ]
    await saveLimits('limits.csv', rows)
    const lines = readFileSync('limits.csv', 'utf8').split('\n')
    expect(lines[0]).toBe(`${HEADER},My Notes,Group`)
    expect(lines.slice(1).map((line) => line.split(',h')[1])).toEqual([
      '1,,none,,',
      '2,,none,"tutor, ""star""",',
      `3,,none,,"'-7"`,
      undefined,
    ])
  })

  it('keeps the permissions that the instructor gave the file', async () => {
    writeFileSync('limits.csv', '')
    chmodSync('limits.csv', 0o660)
    await saveLimits('limits.csv', [])
    expect(modeOf('limits.csv')).toBe('660')
  })

  it('says that it cannot be written', async () => {
    await expect(saveLimits('missing/limits.csv', [])).rejects.toMatchObject({ code: 'file_unwritable' })
  })
})

describe('reading', () => {
  it('says how to get a file where there is none', async () => {
    const error = await loadLimits('limits.csv').catch((e) => e)
    expect(error).toMatchObject({ code: 'limits_missing', exitCode: 2 })
    expect(error.message).toBe(
      'There is no limits file at limits.csv. class-keys refresh-limits-file makes one.',
    )
    expect(await loadLimitsIfThere('limits.csv')).toMatchObject({ path: 'limits.csv', targets: [] })
  })

  it.each(['', ' \n\n'])('takes %j for a file that asks for nothing, where it may', async (text) => {
    writeFileSync('limits.csv', text)
    expect(await loadLimitsIfThere('limits.csv')).toMatchObject({ path: 'limits.csv', targets: [] })
    await expect(loadLimits('limits.csv')).rejects.toThrow(BadFileError)
  })

  it.each([
    ['loadLimits', loadLimits],
    ['loadLimitsIfThere', loadLimitsIfThere],
  ])('%s names every cell that it cannot read', async (_, load) => {
    writeFileSync('limits.csv', `${HEADER}\na@x.edu,,,lots,,,,,h1,,\nb@x.edu,,,,,perhaps,,,h2,sometimes,\n`)
    const error = await load('limits.csv').catch((e) => e)
    expect(error).toBeInstanceOf(BadFileError)
    expect(error.problems).toMatchObject([
      { line: 2, column: 'target_limit', value: 'lots' },
      { line: 3, column: 'target_disabled', value: 'perhaps' },
      { line: 3, column: 'target_limit_reset', value: 'sometimes' },
    ])
    expect(error.message).toContain('Nothing was changed, and the file is as it was.')
  })

  it('says of an empty file that it is empty, and no more', async () => {
    writeFileSync('limits.csv', '\n')
    const error = await loadLimits('limits.csv').catch((e) => e)
    expect(error.problems).toEqual([{ message: 'the file is empty' }])
  })

  it.each([
    ['loadLimits', loadLimits],
    ['loadLimitsIfThere', loadLimitsIfThere],
  ])('%s refuses a folder', async (_, load) => {
    mkdirSync('limits.csv')
    await expect(load('limits.csv')).rejects.toMatchObject({
      code: 'file_unreadable',
      exitCode: 2,
      message: 'limits.csv is a folder, not a limits file.',
    })
  })

  it.each([
    ['loadLimits', loadLimits],
    ['loadLimitsIfThere', loadLimitsIfThere],
  ])('%s refuses a pipe instead of waiting for it: it could not be written anew', async (_, load) => {
    execFileSync('mkfifo', ['limits.csv'])
    await expect(load('limits.csv')).rejects.toMatchObject({
      code: 'file_unreadable',
      message: 'limits.csv is a pipe, not a limits file.',
    })
  })
})

describe('what follows from a problem of the file', () => {
  const NOTHING_DONE =
    'Nothing was changed, and the file is as it was. Mend it and run the same command again.'
  const NOT_WRITTEN = 'It is left as it is. Mend it, then run class-keys refresh-limits-file.'

  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['before anything is changed', loadLimits, NOTHING_DONE],
    ['before anything is changed, where it may be missing', loadLimitsIfThere, NOTHING_DONE],
    ['while a run is at work', (path) => loadLimitsIfThere(path, { atWork: true }), NOT_WRITTEN],
  ])('is said %s', async (_, load, consequence) => {
    writeFileSync('my.csv', `${HEADER}\na@x.edu,,,lots,,,,,h1,,\n`)
    await expect(load('my.csv')).rejects.toThrow(`my.csv has one problem. ${consequence}`)
    // Problems that show only beside the keys are told with the same words.
    writeFileSync('my.csv', `${HEADER}\na@x.edu,,,5,,,,,h1,,\n`)
    expect(await load('my.csv')).toMatchObject({
      path: 'my.csv',
      targets: [{ limit: 5, hash: 'h1' }],
      consequence,
    })
  })

  it.each([
    [{}, NOTHING_DONE],
    [{ atWork: true }, NOT_WRITTEN],
  ])('of one that is not there, with %j', async (options, consequence) => {
    expect(await loadLimitsIfThere('none.csv', options)).toEqual({
      path: 'none.csv',
      targets: [],
      consequence,
    })
  })
})

it('is the same file after being read and written again, whatever a spreadsheet made of it', async () => {
  const text =
    '\ufeffHash;Notes;Email;target limit;Target Disabled;;\r\n' +
    'h1;"=tutor; really";ada@example.edu;$5;TRUE;a;b\r\n'
  writeFileSync('limits.csv', text)
  const key = aKey({ hash: 'h1' })
  for (let n = 0; n < 3; n++) {
    const { targets } = await loadLimits('limits.csv')
    expect(targets).toMatchObject([{ limit: 5, disabled: true, written: { limit: '$5', disabled: 'TRUE' } }])
    expect([...(targets[0]?.extra.values() ?? [])]).toEqual(['=tutor; really', 'a', 'b'])
    await saveLimits(
      'limits.csv',
      nextLimits(
        [{ student: ADA, key }],
        targets.map((target) => ({ target, key })),
        { reached: new Map(), answered: new Set() },
      ),
    )
  }
  expect(readFileSync('limits.csv', 'utf8').split('\n')[1]).toBe(
    `ada@example.edu,Ada Quill,48200001,$5,3.00,TRUE,false,20260219_Ada Quill_48200001,h1,,none,"'=tutor; really",a,b`,
  )
})
