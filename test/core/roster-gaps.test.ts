import { describe, expect, it } from 'vitest'
import { rosterGaps } from '../../src/lib/core/roster-gaps.js'
import type { Student } from '../../src/lib/core/student.js'
import { aStudent } from './make.js'

const NOW = new Date(2026, 1, 19, 12)
const OVER = '2026-02-18T12:59:59Z'
const YEAR_END = '2026-12-31T12:59:59Z'
const NONE = { limit: undefined, expiresAt: undefined }
const cy = (over: Partial<Student> = {}) =>
  aStudent({ line: 5, firstName: 'Cy', lastName: 'Ames', email: 'cy@example.edu', mqId: '3', ...over })
const di = (over: Partial<Student> = {}) =>
  aStudent({ line: 6, firstName: 'Di', lastName: 'Ames', email: 'di@example.edu', mqId: '4', ...over })

/** The gaps in the rows of students who all get a key, without flags, unless said otherwise. */
const gaps = (
  students: Student[],
  given: Partial<typeof NONE> | { limit?: number; expiresAt?: string } = {},
) =>
  rosterGaps(
    students.map(({ mqId }) => ({ kind: 'create', mqId })),
    students,
    { ...NONE, ...given },
    NOW,
  )

describe('a budget that is missing', () => {
  const poor = [aStudent({ budget: 3 }), cy({ budget: undefined }), di({ budget: undefined })]

  it('is named for every student who would get a key', () => {
    expect(gaps(poor)).toEqual([
      { line: 5, column: 'budget', message: 'is empty: Cy Ames (cy@example.edu)' },
      { line: 6, column: 'budget', message: 'is empty: Di Ames (di@example.edu)' },
    ])
  })

  it.each([0, 5])('is none with --limit %d', (limit) => expect(gaps(poor, { limit })).toEqual([]))

  it('is none of a student who gets no key, or whose budget is zero', () => {
    const others = [
      { kind: 'enable', mqId: '3' },
      { kind: 'assign-guardrail', mqId: '4' },
      { kind: 'delete-lost', mqId: '3' },
    ]
    expect(rosterGaps(others, poor, NONE, NOW)).toEqual([])
    expect(gaps([cy({ budget: 0 })])).toEqual([])
  })
})

describe('an expiry that is over', () => {
  const students = [
    cy({ line: 2, expiresAt: OVER }),
    aStudent({ line: 3, mqId: '2', expiresAt: '2026-11-30T12:59:59Z' }),
    aStudent({ line: 4, mqId: '9' }),
    di({ line: 5, expiresAt: NOW.toISOString() }),
  ]

  it('is named for each student whose new key would be of no use', () => {
    expect(gaps(students)).toEqual([
      { line: 2, column: 'expires_at', message: 'is over already: Cy Ames (cy@example.edu)' },
      { line: 5, column: 'expires_at', message: 'is over already: Di Ames (di@example.edu)' },
    ])
  })

  it('is none with --expires, or of a student who gets no key', () => {
    expect(gaps(students, { expiresAt: YEAR_END })).toEqual([])
    expect(rosterGaps([], students, NONE, NOW)).toEqual([])
  })
})

it.each([
  ['neither flag', {}, ['budget', 'expires_at']],
  ['--limit', { limit: 0 }, ['expires_at']],
  ['--expires', { expiresAt: YEAR_END }, ['budget']],
  ['both', { limit: 3, expiresAt: YEAR_END }, []],
])('both gaps of one row, with %s', (_, given, columns) => {
  expect(gaps([cy({ budget: undefined, expiresAt: OVER })], given).map(({ column }) => column)).toEqual(
    columns,
  )
})
