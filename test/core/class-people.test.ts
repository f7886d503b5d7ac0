import { describe, expect, it } from 'vitest'
import { everybody, type KnownClass, keysOfClass } from '../../src/lib/core/class-people.js'
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

  it.each([
    ['of somebody whom it does not know any more', 'other', 'd4', ['ada', 'bo']],
    ['of nobody, though its name is of somebody who has left', 'cy', '', ['ada', 'bo']],
    ['of another student than its name says, who is believed', 'bo', 'a1', ['ada', 'bo']],
    ['of somebody who has left, whatever it is called now', 'renamed', 'c3', ['ada', 'bo', 'renamed']],
  ])('one that the ledger says to be %s', (_, hash, mqId, ofClass) => {
    expect(hashes({ ...KNOWN, heldBy: new Map([[hash, mqId]]) })).toEqual(ofClass)
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
