import { describe, expect, it } from 'vitest'
import { everybody, findClassTargets, type KnownClass, keysOfClass } from '../../src/lib/core/class-people.js'
import { readTargets } from '../../src/lib/core/limits.js'
import { parseCsv } from '../../src/lib/files/csv.js'
import { aKey, aPerson } from './make.js'

const ADA = aPerson({ email: 'Ada@example.edu', mqId: 'a1' })
const BO = aPerson({ firstName: 'Bo', email: 'bo@example.edu', mqId: 'b2' })

const CY = aPerson({ firstName: 'Cy', lastName: 'Lane', email: 'cy@example.edu', mqId: 'c3' })
const KNOWN: KnownClass = { students: [BO, CY], heldBy: new Map(), replaced: new Map([['gone', 'bo']]) }

describe('keysOfClass', () => {
  const keys = [
    aKey({ hash: 'bo', name: '20260219_Bo Reed_B2' }),
    aKey({ hash: 'ada', name: '20260219_Ada Quill_a1' }),
    aKey({ hash: 'cy', name: '20260219_Cy Lane_c3' }),
    aKey({ hash: 'renamed', name: 'the demo' }),
    aKey({ hash: 'other', name: 'the website' }),
  ]
  const hashes = (known: KnownClass) => keysOfClass(keys, [ADA, BO], known).map(({ key }) => key.hash)

  it('are those of the roster by their names, and those that the ledger knows, by address', () => {
    expect(
      hashes({
        ...KNOWN,
        heldBy: new Map([
          ['cy', 'C3'],
          ['renamed', 'a1'],
        ]),
      }),
    ).toEqual(['ada', 'renamed', 'bo', 'cy'])
  })

  it('are no keys of people who have left that the ledger has never seen', () => {
    expect(hashes(KNOWN)).toEqual(['ada', 'bo'])
  })
})

describe('everybody', () => {
  it('is the roster, and those of the ledger who are not on it', () => {
    expect(everybody([ADA], [BO])).toEqual([ADA, BO])
  })

  it('knows a person by the MQ ID, case aside, and believes the roster', () => {
    const before = aPerson({ email: 'old@example.edu', mqId: 'A1' })
    expect(everybody([ADA], [before, BO])).toEqual([ADA, BO])
  })

  it('does not mix up two who swapped their addresses', () => {
    const adaBefore = { ...ADA, email: BO.email }
    const boBefore = { ...BO, email: ADA.email }
    expect(everybody([ADA, BO], [adaBefore, boBefore])).toEqual([ADA, BO])
  })
})

describe('findClassTargets', () => {
  const adas = aKey({ hash: 'ada', name: '20260219_Ada Quill_a1' })
  const bos = aKey({ hash: 'bo', name: '20260219_Bo Reed_B2' })
  const others = aKey({ hash: 'other', name: 'the website' })
  const cys = aKey({ hash: 'cy', name: '20260219_Cy Lane_c3' })
  const find = (row: string) => {
    const { targets } = readTargets(parseCsv(`email,hash,target_limit,target_disabled\n${row}`))
    return findClassTargets(targets, [adas, bos, others, cys], [ADA, BO], KNOWN).map(
      ({ key, why }) => key?.hash ?? why,
    )
  }

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
    ['bo@example.edu,gone,,', 'bo'],
  ])('%s: %s', (row, found) => expect(find(row)).toEqual([found]))
})
