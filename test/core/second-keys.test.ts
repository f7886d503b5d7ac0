import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
import { isLikely, secondKeys } from '../../src/lib/core/second-keys.js'
import { type Person, studentRef } from '../../src/lib/core/student.js'
import { aKey, aPerson } from './make.js'

const NOW = new Date('2026-03-02T10:00:00Z')
const ADA = aPerson({ email: 'ada@example.edu', mqId: '0012' })
/** Ada as the ledger may know her from before. */
const earlier = (over: Partial<Person> = {}) => aPerson({ email: 'ada@example.edu', mqId: '77', ...over })
const BY_ADDRESS = { firstName: 'Adah', lastName: 'Reed' }
const BY_NAME = { email: 'x@example.edu' }
const keyOf = (mqId: string, over: Partial<Key> = {}) =>
  aKey({ hash: `h${mqId}`, name: `20260219_Some Body_${mqId}`, ...over })

/** What is found for Ada, of whom the ledger knows other people, and whose their keys are. */
function find({
  students = [earlier()],
  keys = [keyOf('77')],
  heldBy = new Map(keys.map(({ hash }) => [hash, hash.slice(1)])),
  roster = [ADA],
  keyless = [studentRef(ADA)],
}: Partial<{
  students: Person[]
  keys: Key[]
  heldBy: Map<string, string>
  roster: Person[]
  keyless: ReturnType<typeof studentRef>[]
}> = {}) {
  const known = { students, heldBy, replaced: new Map<string, string>() }
  return secondKeys(keyless, roster, { ...known, keys, now: NOW })
}
const because = (of: Parameters<typeof find>[0]) => find(of).map((each) => `${each.because} ${each.hash}`)

describe('what two may have in common', () => {
  it.each<[string, Parameters<typeof find>[0], string[]]>([
    ['the address', { students: [earlier(BY_ADDRESS)] }, ['address h77']],
    [
      'the address in another case',
      { students: [earlier({ ...BY_ADDRESS, email: 'ADA@Example.edu' })] },
      ['address h77'],
    ],
    ['the name', { students: [earlier(BY_NAME)] }, ['name h77']],
    [
      'the name in another case',
      { students: [earlier({ ...BY_NAME, firstName: 'ADA', lastName: 'quill' })] },
      ['name h77'],
    ],
    ['nothing', { students: [earlier({ ...BY_NAME, ...BY_ADDRESS })] }, []],
    ['a part of the name', { students: [earlier({ ...BY_NAME, lastName: 'Quill Reed' })] }, []],
    ['the address and the name: the address tells more', {}, ['address h77']],
    // Zeros are looked for in the name of the key too: it may never have been in this ledger.
    ['the MQ ID but for zeros', { keys: [keyOf('12')], heldBy: new Map() }, ['mq_id h12']],
    ['the MQ ID with more zeros', { keys: [keyOf('00012')], heldBy: new Map() }, ['mq_id h00012']],
    ['the MQ ID but for zeros, by the ledger', { keys: [keyOf('12', { name: 'the demo' })] }, ['mq_id h12']],
    ['an MQ ID that ends alike', { keys: [keyOf('112')], heldBy: new Map() }, []],
    ['an MQ ID that begins alike', { keys: [keyOf('120')], heldBy: new Map() }, []],
    [
      'the address with one, the MQ ID with another',
      { students: [earlier(BY_ADDRESS)], keys: [keyOf('12'), keyOf('77')] },
      ['address h77'],
    ],
    [
      'the MQ ID with one, the name with another',
      { students: [earlier(BY_NAME)], keys: [keyOf('12'), keyOf('77')] },
      ['mq_id h12'],
    ],
  ])('%s', (_, of, found) => expect(because(of)).toEqual(found))

  it('is told of the student as the roster has them, and of the key that is there', () => {
    const keys = [keyOf('77', { name: 'for the demo' })]
    expect(find({ students: [earlier(BY_ADDRESS)], keys })).toEqual([
      { ...studentRef(ADA), keyName: 'for the demo', hash: 'h77', because: 'address' },
    ])
  })
})

describe('no key is anybody’s second one', () => {
  it.each<[string, Parameters<typeof find>[0]]>([
    ['that is disabled', { keys: [keyOf('77', { disabled: true })] }],
    ['that is over', { keys: [keyOf('77', { expiresAt: NOW.toISOString() })] }],
    ['whose student is on the roster', { roster: [ADA, earlier()] }],
    [
      'whose student is on it, by another case',
      { students: [earlier({ mqId: 'ab' })], keys: [keyOf('ab')], roster: [ADA, earlier({ mqId: 'AB' })] },
    ],
    ['of which nobody knows whose it is', { keys: [keyOf('77', { name: 'the demo' })], heldBy: new Map() }],
    // A name is not enough: the class of somebody else may have such a student.
    ['that the ledger has never seen', { heldBy: new Map() }],
    ['of somebody whom the ledger does not know', { students: [] }],
    ['where there is none', { keys: [] }],
  ])('%s', (_, of) => expect(find(of)).toEqual([]))

  it.each<[string, Parameters<typeof find>[0]]>([
    ['that is disabled', { keys: [keyOf('12', { disabled: true })] }],
    ['that is over', { keys: [keyOf('12', { expiresAt: NOW.toISOString() })] }],
    ['whose student is on the roster', { keys: [keyOf('12')], roster: [ADA, earlier({ mqId: '12' })] }],
  ])('%s, though the MQ ID is the same but for zeros', (_, of) => expect(find(of)).toEqual([]))

  it('one that ends a second later is', () => {
    expect(find({ keys: [keyOf('77', { expiresAt: '2026-03-02T10:00:01Z' })] })).toHaveLength(1)
  })

  it('and nobody is looked at who has a key', () => expect(find({ keyless: [] })).toEqual([]))
})

it('takes an MQ ID that was corrected for a reason to ask, and a name for a reason to tell', () => {
  const [ref] = find()
  if (!ref) throw new Error('a second key should be found')
  expect((['address', 'mq_id', 'name'] as const).map((each) => isLikely({ ...ref, because: each }))).toEqual([
    true,
    true,
    false,
  ])
})

it('finds each student’s, in their order', () => {
  const bo = aPerson({ firstName: 'Bo', lastName: 'Reed', email: 'bo@example.edu', mqId: '8' })
  const cy = aPerson({ firstName: 'Cy', lastName: 'Ames', email: 'cy@example.edu', mqId: '9' })
  const found = find({
    roster: [ADA, bo, cy],
    keyless: [bo, cy, ADA].map(studentRef),
    students: [earlier(BY_ADDRESS), { ...bo, mqId: '88' }],
    keys: [keyOf('77'), keyOf('88')],
  })
  expect(found.map(({ mqId, hash }) => [mqId, hash])).toEqual([
    ['8', 'h88'],
    ['0012', 'h77'],
  ])
})
