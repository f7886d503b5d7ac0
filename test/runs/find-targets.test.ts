import { describe, expect, it } from 'vitest'
import type { KnownClass } from '../../src/lib/core/class-people.js'
import { BadFileError } from '../../src/lib/core/errors.js'
import { readTargets } from '../../src/lib/core/limits.js'
import { parseCsv } from '../../src/lib/files/csv.js'
import { findClassTargets } from '../../src/lib/runs/find-targets.js'
import { aKey, aPerson } from '../core/make.js'

const ADA = aPerson({ email: 'Ada@example.edu', mqId: 'a1' })
const BO = aPerson({ firstName: 'Bo', email: 'bo@example.edu', mqId: 'b2' })
const CY = aPerson({ firstName: 'Cy', lastName: 'Lane', email: 'cy@example.edu', mqId: 'c3' })
const KNOWN: KnownClass = { students: [BO, CY], heldBy: new Map(), replaced: new Map([['gone', 'bo']]) }
const NOW = new Date('2026-03-02T10:00:00Z')
const KEYS = [
  aKey({ hash: 'ada', name: '20260219_Ada Quill_a1' }),
  aKey({ hash: 'bo', name: '20260219_Bo Reed_B2' }),
  aKey({ hash: 'other', name: 'the website' }),
  aKey({ hash: 'cy', name: '20260219_Cy Lane_c3' }),
]

const CONSEQUENCE = 'Nothing was changed.'
/** What the rows of a file with these columns are about: a hash, or why nothing is done for them. */
function find(
  rows: string,
  { known = KNOWN, keys = KEYS, columns = 'email,hash,target_limit,target_disabled' } = {},
) {
  const { targets } = readTargets(parseCsv(`${columns}\n${rows}`))
  const file = { path: 'my limits.csv', targets, consequence: CONSEQUENCE }
  return findClassTargets(file, { keys, roster: [ADA, BO], known, now: NOW }).map(
    ({ key, why }) => why ?? key?.hash,
  )
}

describe('findClassTargets', () => {
  it.each([
    ['ADA@EXAMPLE.EDU,,5,', 'ada'],
    ['bo@example.edu,,5,', 'bo'],
    ['x@example.edu,bo,5,', 'bo'],
    // Not a key of the class: it is never touched, even where a row names it.
    ['x@example.edu,other,5,', 'no such key'],
    ['x@example.edu,,5,', 'no key of this address'],
    // Named as a key of somebody who has left, and never in this ledger: it may be of another class.
    ['x@example.edu,cy,5,', 'no such key'],
    ['cy@example.edu,,5,', 'no key of this address'],
    ['x@example.edu,gone,5,', 'its key was replaced by a newer one, which has a row of its own'],
    ['bo@example.edu,gone,,', 'its key was replaced by a newer one, which has a row of its own'],
  ])('%s: %s', (row, found) => expect(find(row)).toEqual([found]))

  it('knows a key by its hash where its name tells nothing, and one of somebody who has left', () => {
    const heldBy = new Map([
      ['other', 'A1'],
      ['cy', 'c3'],
    ])
    const known = { ...KNOWN, heldBy }
    expect(find('x@example.edu,other,5,\nCY@example.edu,,5,', { known })).toEqual(['other', 'cy'])
    expect(find('ada@example.edu,,5,', { known })).toEqual(['ada@example.edu has 2 keys'])
  })

  it('looks at keys that are over, by the clock that it is given', () => {
    const keys = [...KEYS, aKey({ hash: 'old', name: '20250219_Ada Quill_a1', expiresAt: NOW.toISOString() })]
    expect(find('ada@example.edu,,5,', { keys })).toEqual(['ada'])
  })

  const columns = 'email,mq_id,hash,target_limit,target_disabled'

  it('refuses a file whose columns were sorted apart, with each such row', () => {
    const refused = () =>
      find('ada@example.edu,a1,bo,5,\nx@example.edu,A1,ada,,\nbo@example.edu,b2,ada,,', { columns })
    expect(refused).toThrow(BadFileError)
    expect(refused).toThrow(expect.objectContaining({ file: 'my limits.csv', exitCode: 2 }))
    expect(refused).toThrow(`my limits.csv has 2 problems. ${CONSEQUENCE}`)
    const problems = [
      ['b2', 2],
      ['a1', 4],
    ].map(([theirs, line]) => ({
      line,
      column: 'mq_id',
      message: `its hash is of a key of ${theirs}; were the columns sorted apart?`,
    }))
    expect(refused).toThrow(
      expect.objectContaining({ problems: problems.map((each) => expect.objectContaining(each)) }),
    )
  })

  it('takes an MQ ID without its leading zeros for what it was, and believes the hash', () => {
    const keys = [aKey({ hash: 'ada', name: '20260219_Ada Quill_0A1' })]
    const zeros = { ...KNOWN, heldBy: new Map([['ada', 'a1']]) }
    expect(find('ada@example.edu,a1,ada,5,', { keys, known: zeros, columns })).toEqual(['ada'])
  })

  it('says nothing of a row about a key that is not of the class, whatever MQ ID it has', () => {
    expect(find('x@example.edu,a1,cy,5,', { columns })).toEqual(['no such key'])
  })
})
