import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readRoster, withoutPlaceholders } from '../../src/lib/core/roster.js'
import { parseCsv } from '../../src/lib/files/csv.js'
import { aStudent } from './make.js'

const HEADER = 'first_name,last_name,email,mq_id,budget,limit_reset'
const ADA = 'Ada,Quill,ada.quill@students.example.edu,48200001,3,'

const read = (text: string) => readRoster(parseCsv(text))
/** The problems of a roster that consists of these lines below the usual header. */
const problemsOf = (...lines: string[]) => read([HEADER, ...lines].join('\n')).problems

describe('every form that a roster may have', () => {
  it.each([
    ['as documented', `${HEADER}\n${ADA}\n`],
    [
      'another order',
      `mq_id,budget,email,limit_reset,last_name,first_name\n48200001,3,ada.quill@students.example.edu,,Quill,Ada`,
    ],
    ['columns of no interest', `id,${HEADER},notes\n7,${ADA},likes owls`],
    ['case and spaces in the header', `First Name, LAST NAME ,Email,MQ ID,Budget,Limit Reset\n${ADA}`],
    ['hyphens in the header', `first-name,last-name,email,mq-id,budget,limit-reset\n${ADA}`],
    ['a byte order mark', `\ufeff${HEADER}\n${ADA}\n`],
    ['CRLF', `${HEADER}\r\n${ADA}\r\n`],
    ['semicolons', `${HEADER}\n${ADA}`.replaceAll(',', ';')],
    ['tabs', `${HEADER}\n${ADA}`.replaceAll(',', '\t')],
    [
      'spaces around cells',
      `${HEADER}\n Ada , Quill\t, ada.quill@students.example.edu ,\u00a048200001 , 3 , `,
    ],
    [
      'quoted cells',
      `"first_name","last_name","email","mq_id","budget","limit_reset"\n"Ada","Quill","ada.quill@students.example.edu","48200001","3",""`,
    ],
    [
      'without the columns that may be empty',
      `first_name,last_name,email,mq_id,budget\nAda,Quill,ada.quill@students.example.edu,48200001,3.00`,
    ],
    ['a short row', `${HEADER}\nAda,Quill,ada.quill@students.example.edu,48200001,3`],
    ['dollars', `${HEADER}\nAda,Quill,ada.quill@students.example.edu,48200001,$3.00,`],
  ])('%s', (_, text) => {
    expect(read(text)).toEqual({ roster: { students: [aStudent()] }, problems: [] })
  })

  it('tells the lines of the file, blank lines counted', () => {
    const { roster, problems } = read(`\n${HEADER}\n\n${ADA}\n,,,,,\n \nBo,Reed,bo@example.edu,48200002,,`)
    expect(problems).toEqual([])
    expect(roster.students.map(({ line, mqId }) => [line, mqId])).toEqual([
      [4, '48200001'],
      [7, '48200002'],
    ])
  })

  it.each([
    ['', '', undefined, null],
    ['0', 'daily', 0, 'daily'],
    ['2.50', 'Weekly', 2.5, 'weekly'],
    ['.5', 'MONTHLY', 0.5, 'monthly'],
  ])('budget %j, reset %j', (budget, reset, usd, limitReset) => {
    const { roster, problems } = read(`${HEADER}\nAda,Quill,ada@example.edu,48200001,${budget},${reset}`)
    expect(problems).toEqual([])
    expect(roster.students).toMatchObject([{ budget: usd, limitReset }])
  })

  it('leaves IDs as they are written', () => {
    expect(read(`${HEADER}\nAda,Quill,ada@example.edu,00123,3,`).roster.students[0]?.mqId).toBe('00123')
  })

  it('has no opinion on a roster without students', () => {
    expect(read(HEADER)).toEqual({ roster: { students: [] }, problems: [] })
  })
})

describe('problems', () => {
  const NAME = 'holds a line break or another character that cannot be printed'
  const ID = "may consist of letters and digits only, since it is read back from the key's name"
  const BUDGET = 'is not an amount of dollars, such as 5 or 2.50'
  const RESET = 'is not daily, weekly, monthly or empty'

  it.each([
    [',Quill,a@example.edu,1,3,', 'first_name', undefined, 'is empty'],
    ['Ada,,a@example.edu,1,3,', 'last_name', undefined, 'is empty; write - for a student with a single name'],
    ['"Ada\nMay",Quill,a@example.edu,1,3,', 'first_name', 'Ada\nMay', NAME],
    ['Ada,"Qu\u2028ill",a@example.edu,1,3,', 'last_name', 'Qu\u2028ill', NAME],
    ['Ada,Qu\u0007ill,a@example.edu,1,3,', 'last_name', 'Qu\u0007ill', NAME],
    ['Ada,Quill,,1,3,', 'email', undefined, 'is empty'],
    ['Ada,Quill,ada,1,3,', 'email', 'ada', 'is not an address'],
    ['Ada,Quill,ada@example,1,3,', 'email', 'ada@example', 'is not an address'],
    ['Ada,Quill,a@b@example.edu,1,3,', 'email', 'a@b@example.edu', 'is not an address'],
    ['Ada,Quill,a d@example.edu,1,3,', 'email', 'a d@example.edu', 'is not an address'],
    ['Ada,Quill,a\u0000@example.edu,1,3,', 'email', 'a\u0000@example.edu', 'is not an address'],
    ['Ada,Quill,a@example.edu,,3,', 'mq_id', undefined, 'is empty'],
    ['Ada,Quill,a@example.edu,48-1,3,', 'mq_id', '48-1', ID],
    ['Ada,Quill,a@example.edu,48 1,3,', 'mq_id', '48 1', ID],
    ['Ada,Quill,a@example.edu,48_1,3,', 'mq_id', '48_1', ID],
    ['Ada,Quill,a@example.edu,#481,3,', 'mq_id', '#481', ID],
    ['Ada,Quill,a@example.edu,1,lots,', 'budget', 'lots', BUDGET],
    ['Ada,Quill,a@example.edu,1,-1,', 'budget', '-1', BUDGET],
    ['Ada,Quill,a@example.edu,1,"3,50",', 'budget', '3,50', BUDGET],
    ['Ada,Quill,a@example.edu,1,unlimited,', 'budget', 'unlimited', BUDGET],
    ['Ada,Quill,a@example.edu,1,3,yearly', 'limit_reset', 'yearly', RESET],
  ])('%j: %s', (line, column, value, message) => {
    expect(problemsOf(line)).toEqual([{ line: 2, column, ...(value !== undefined && { value }), message }])
  })

  it('are all told at once, in the order of the lines', () => {
    const problems = problemsOf(
      ADA,
      ',,nobody,4 8,lots,yearly',
      'Bo,Reed,ADA.QUILL@students.example.edu,48200002,3,',
      'Cy,Ames,cy@example.edu,48200001,free,',
    )
    expect(problems.map(({ line, column }) => [line, column])).toEqual([
      [3, 'first_name'],
      [3, 'last_name'],
      [3, 'email'],
      [3, 'mq_id'],
      [3, 'budget'],
      [3, 'limit_reset'],
      [4, 'email'],
      [5, 'budget'],
      [5, 'mq_id'],
    ])
  })

  it('two rows of one MQ ID or address, case aside, name the line before', () => {
    const problems = problemsOf(
      'Ada,Quill,ada@example.edu,ab1,3,',
      'Bo,Reed,Ada@Example.edu,2,3,',
      'Cy,Ames,cy@example.edu,AB1,3,',
      'Di,Bell,di@example.edu,aB1,3,',
    )
    expect(problems).toEqual([
      {
        line: 3,
        column: 'email',
        value: 'Ada@Example.edu',
        message: 'another student has this address (line 2)',
      },
      { line: 4, column: 'mq_id', value: 'AB1', message: 'another student has this MQ ID (line 2)' },
      { line: 5, column: 'mq_id', value: 'aB1', message: 'another student has this MQ ID (line 2)' },
    ])
  })

  it('empty cells are not taken for the same address or ID', () => {
    const messages = problemsOf('Ada,Quill,,,3,', 'Bo,Reed,,,3,').map(({ message }) => message)
    expect(messages).toEqual(['is empty', 'is empty', 'is empty', 'is empty'])
  })

  it('missing columns are told together, and the rows not at all', () => {
    expect(read('first_name,email,budget\n,,lots')).toEqual({
      roster: { students: [] },
      problems: [
        { line: 1, column: 'last_name', message: 'this column is missing' },
        {
          line: 1,
          column: 'mq_id',
          message: 'this column is missing; the file has first_name, email, budget: rename what is meant',
        },
      ],
    })
  })

  it('of the file as such are told too', () => {
    expect(read(`${HEADER},email\n${ADA},ada@example.edu`).problems).toEqual([
      { line: 1, column: 'email', message: 'this column is there twice' },
    ])
    const shifted = read(`${HEADER}\nAda,Quill, Jr,ada@example.edu,48200001,3,weekly`).problems
    expect(shifted.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('has more cells than the header has columns (7 and 6)'),
    )
    expect(read('').problems[0]).toEqual({ message: 'the file is empty' })
  })
})

it('tells placeholders from addresses, whatever their case', () => {
  const ada = aStudent()
  const bo = aStudent({ email: 'bo@Fixme.MQ.edu.au', mqId: '2' })
  const cy = aStudent({ email: 'cy@FIXME.mq.edu.au', mqId: '3' })
  expect(withoutPlaceholders([bo, ada, cy])).toEqual({ real: [ada], placeholders: [bo, cy] })
})

it('reads any order of columns as the same roster', () => {
  const cells = {
    first_name: 'Ada',
    last_name: 'Quill',
    email: 'ada.quill@students.example.edu',
    mq_id: '48200001',
    budget: '3',
    limit_reset: '',
    notes: 'likes owls',
  }
  const order = fc.shuffledSubarray(Object.entries(cells), { minLength: 7, maxLength: 7 })
  fc.assert(
    fc.property(order, fc.constantFrom(',', ';', '\t'), (columns, separator) => {
      const lines = [columns.map(([name]) => name), columns.map(([, text]) => text)]
      const text = lines.map((line) => line.join(separator)).join('\n')
      expect(read(text)).toEqual({ roster: { students: [aStudent()] }, problems: [] })
    }),
  )
})

describe('expires_at', () => {
  const WITH = `${HEADER},expires_at`
  beforeEach(() => {
    vi.stubEnv('TZ', 'Australia/Sydney')
  })
  afterEach(() => vi.unstubAllEnvs())

  it.each([
    ['2026-11-30', '2026-11-30T12:59:59Z'],
    [' 2026-06-30 ', '2026-06-30T13:59:59Z'],
    ['2026-11-30 17:00', '2026-11-30T06:00:00Z'],
    ['2026-11-30T17:00:00Z', '2026-11-30T17:00:00Z'],
    ['', undefined],
  ])('%j is %s', (cell, expiresAt) => {
    const { roster, problems } = read(`${WITH}\n${ADA},${cell}`)
    expect(problems).toEqual([])
    expect(roster.students).toEqual([aStudent({ expiresAt })])
  })

  it('may be absent, and may be headed as people head columns', () => {
    expect(read(`${HEADER}\n${ADA}`).roster.students).toEqual([aStudent({ expiresAt: undefined })])
    expect(read(`${HEADER},Expires At\n${ADA},2026-11-30`).roster.students).toMatchObject([
      { expiresAt: '2026-11-30T12:59:59Z' },
    ])
  })

  it('that cannot be read is a problem, all at once, each with line, column and value', () => {
    const wrong = ['30.11.2026', 'soon', '2026-02-30', '2026-11-30 25:00']
    const rows = wrong.map((cell, i) => `Bo,Reed,bo${i}@example.edu,4820010${i},lots,,${cell}`)
    const { problems } = read([WITH, `${ADA},2026-11-30`, ...rows].join('\n'))
    expect(problems.filter(({ column }) => column === 'expires_at')).toEqual(
      wrong.map((value, i) => ({
        line: 3 + i,
        column: 'expires_at',
        value,
        message: 'is not a day such as 2026-11-30',
      })),
    )
    // The other problems of the same rows are told with them, in the order of the lines.
    expect(problems.map(({ line }) => line)).toEqual([3, 3, 4, 4, 5, 5, 6, 6])
  })
})
