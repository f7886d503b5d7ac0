import { describe, expect, test } from 'vitest'
import { useFolder } from '../support/folder.js'
import { keyOf, list, makeKey, person } from '../support/model.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { execute, query } from '../support/sqlite.js'
import { useLedgers } from './ledger.js'

useFolder()
const openNew = useLedgers()

const students = () => query('keys.db', 'SELECT email, mq_id FROM student ORDER BY email')
const keyOwners = () =>
  query('keys.db', 'SELECT key_hash, email FROM key ORDER BY key_hash').map((row) => [
    row.key_hash,
    row.email,
  ])
const early = new Date('2026-02-19T09:00:00Z')
const late = new Date('2026-03-01T09:00:00Z')

test('somebody who is there already keeps the moment they came', async () => {
  const ledger = await openNew()
  await list(ledger, [person('1', 'ada@x.edu')], [], { at: early })
  await list(ledger, [person('1', 'ada@x.edu', { firstName: 'Adah', lastName: 'Quill' })], [], { at: late })
  expect(query('keys.db', 'SELECT * FROM student')).toEqual([
    {
      email: 'ada@x.edu',
      first_name: 'Adah',
      last_name: 'Quill',
      mq_id: '1',
      created_at: '2026-02-19T09:00:00.000+00:00',
    },
  ])
})

test('somebody who is not on the roster any more stays', async () => {
  const ledger = await openNew()
  await list(ledger, [person('1', 'ada@x.edu'), person('2', 'bilal@x.edu')], [])
  await list(ledger, [person('2', 'bilal@x.edu')], [])
  expect(await ledger.students()).toMatchObject([{ mqId: '1' }, { mqId: '2' }])
})

test('somebody of whom only the address is known is no student, and becomes one when the roster says the MQ ID', async () => {
  writePythonLedger('keys.db', { students: [{ email: 'ada@x.edu', first: 'Ada', last: 'Q', mqId: null }] })
  const ledger = await openNew()
  expect(await ledger.students()).toEqual([])
  await list(ledger, [person('1', 'ada@x.edu')], [])
  expect(students()).toEqual([{ email: 'ada@x.edu', mq_id: '1' }])
  expect(query('keys.db', 'SELECT created_at FROM student')).toEqual([
    { created_at: '2026-02-19T20:52:27.363244' },
  ])
})

describe('an address that changes is followed by MQ ID', () => {
  test('with the keys, and without a second student', async () => {
    const ledger = await openNew()
    const ada = person('1', 'ada@x.edu')
    await makeKey(ledger, ada, early)
    await list(ledger, [{ ...ada, email: 'ada.quill@x.edu' }], [keyOf(ada)], { at: late })
    expect(students()).toEqual([{ email: 'ada.quill@x.edu', mq_id: '1' }])
    expect(keyOwners()).toEqual([['hash-of-1', 'ada.quill@x.edu']])
    expect(query('keys.db', 'SELECT created_at FROM student')).toEqual([
      { created_at: '2026-02-19T09:00:00.000+00:00' },
    ])
  })

  test('also for keys that OpenRouter no longer has', async () => {
    const ledger = await openNew()
    const ada = person('1', 'ada@x.edu')
    await makeKey(ledger, ada, early)
    await list(ledger, [{ ...ada, email: 'new@x.edu' }], [], { at: late })
    expect(keyOwners()).toEqual([['hash-of-1', 'new@x.edu']])
  })

  test('when only its case changes', async () => {
    const ledger = await openNew()
    const ada = person('1', 'Ada@X.edu')
    await makeKey(ledger, ada, early)
    await list(ledger, [{ ...ada, email: 'ada@x.edu' }], [keyOf(ada)], { at: late })
    expect(students()).toEqual([{ email: 'ada@x.edu', mq_id: '1' }])
    expect(keyOwners()).toEqual([['hash-of-1', 'ada@x.edu']])
  })

  test('when the case of the MQ ID changes with it', async () => {
    const ledger = await openNew()
    const ada = person('ab12', 'ada@x.edu')
    await makeKey(ledger, ada, early)
    await list(ledger, [person('AB12', 'ada.quill@x.edu')], [keyOf(ada)], { at: late })
    expect(students()).toEqual([{ email: 'ada.quill@x.edu', mq_id: 'AB12' }])
    expect(keyOwners()).toEqual([['hash-of-ab12', 'ada.quill@x.edu']])
  })

  test('where nothing but the case of the MQ ID changes, it is the same student', async () => {
    const ledger = await openNew()
    const ada = person('ab12', 'ada@x.edu')
    await makeKey(ledger, ada, early)
    await list(ledger, [person('AB12', 'ada@x.edu')], [keyOf(ada)], { at: late })
    expect(students()).toEqual([{ email: 'ada@x.edu', mq_id: 'AB12' }])
    expect(keyOwners()).toEqual([['hash-of-ab12', 'ada@x.edu']])
  })

  test('when a key is made for them, not only when keys are listed', async () => {
    const ledger = await openNew()
    await list(ledger, [person('1', 'ada@x.edu')], [])
    await makeKey(ledger, person('1', 'new@x.edu'), late)
    expect(students()).toEqual([{ email: 'new@x.edu', mq_id: '1' }])
    expect(keyOwners()).toEqual([['hash-of-1', 'new@x.edu']])
  })
})

describe('addresses that change hands', () => {
  test('two students swap theirs: each keeps their keys and the moment they came', async () => {
    const ledger = await openNew()
    const [ada, bilal] = [person('1', 'one@x.edu'), person('2', 'two@x.edu')]
    await makeKey(ledger, ada, early)
    await makeKey(ledger, bilal, late)
    const swapped = [
      { ...ada, email: 'two@x.edu' },
      { ...bilal, email: 'one@x.edu' },
    ]
    await list(ledger, swapped, [keyOf(ada), keyOf(bilal)], { at: late })
    expect(query('keys.db', 'SELECT email, mq_id, created_at FROM student ORDER BY mq_id')).toEqual([
      { email: 'two@x.edu', mq_id: '1', created_at: '2026-02-19T09:00:00.000+00:00' },
      { email: 'one@x.edu', mq_id: '2', created_at: '2026-03-01T09:00:00.000+00:00' },
    ])
    expect(keyOwners()).toEqual([
      ['hash-of-1', 'two@x.edu'],
      ['hash-of-2', 'one@x.edu'],
    ])
  })

  test('three pass theirs round', async () => {
    const ledger = await openNew()
    const people = [person('1', 'a@x.edu'), person('2', 'b@x.edu'), person('3', 'c@x.edu')]
    for (const each of people) await makeKey(ledger, each, early)
    const round = people.map((each, i) => ({ ...each, email: people[(i + 1) % 3]?.email ?? '' }))
    await list(
      ledger,
      round,
      people.map((each) => keyOf(each)),
      { at: late },
    )
    expect(keyOwners()).toEqual([
      ['hash-of-1', 'b@x.edu'],
      ['hash-of-2', 'c@x.edu'],
      ['hash-of-3', 'a@x.edu'],
    ])
    expect(students()).toEqual([
      { email: 'a@x.edu', mq_id: '3' },
      { email: 'b@x.edu', mq_id: '1' },
      { email: 'c@x.edu', mq_id: '2' },
    ])
  })

  test('one takes the address of somebody who has left, whose keys stay their own', async () => {
    const ledger = await openNew()
    const [ada, left] = [person('1', 'ada@x.edu'), person('2', 'left@x.edu')]
    await makeKey(ledger, ada, early)
    await makeKey(ledger, left, early)
    await list(ledger, [{ ...ada, email: 'left@x.edu' }], [keyOf(ada), keyOf(left)], { at: late })
    expect(students()).toEqual([
      { email: '2@FIXME.mq.edu.au', mq_id: '2' },
      { email: 'left@x.edu', mq_id: '1' },
    ])
    expect(keyOwners()).toEqual([
      ['hash-of-1', 'left@x.edu'],
      ['hash-of-2', '2@FIXME.mq.edu.au'],
    ])
  })

  test('a newcomer is given the address of somebody who has left: nobody gets the keys of the other', async () => {
    const ledger = await openNew()
    const left = person('2', 'shared@x.edu')
    await makeKey(ledger, left, early)
    const newcomer = person('3', 'shared@x.edu', { firstName: 'Eleni' })
    await list(ledger, [newcomer], [keyOf(left)], { at: late })
    const exported = await ledger.keys()
    expect(exported).toMatchObject([{ keyHash: 'hash-of-2', mqId: '2', firstName: 'Ada' }])
    expect(await ledger.students()).toContainEqual(newcomer)
  })

  test('an address that somebody unknown has is taken over, and their keys are kept apart', async () => {
    writePythonLedger('keys.db', {
      students: [
        { email: 'ada@x.edu', first: 'Ada', last: 'Q1', mqId: '1' },
        { email: 'new@x.edu', first: 'No', last: 'Body', mqId: null },
      ],
      keys: [{ hash: 'of-nobody', email: 'new@x.edu', name: 'thesis pipeline' }],
    })
    const ledger = await openNew()
    await list(ledger, [person('1', 'new@x.edu')], [], { at: late })
    expect(students()).toEqual([
      { email: 'new@x.edu', mq_id: '1' },
      { email: 'unknown-new@FIXME.mq.edu.au', mq_id: null },
    ])
    expect(keyOwners()).toEqual([['of-nobody', 'unknown-new@FIXME.mq.edu.au']])
  })

  test('a placeholder that is taken already is not taken twice', async () => {
    const ledger = await openNew()
    const gone = person('2', 'two@x.edu')
    await list(ledger, [gone, person('9', '2@FIXME.mq.edu.au'), person('1', 'one@x.edu')], [])
    await list(ledger, [person('9', '2@FIXME.mq.edu.au'), person('1', 'two@x.edu')], [])
    expect(students()).toContainEqual({ email: '2-2@FIXME.mq.edu.au', mq_id: '2' })
    expect(students()).toContainEqual({ email: '2@FIXME.mq.edu.au', mq_id: '9' })
  })

  test('a chain in which the last one moves to a free address', async () => {
    const ledger = await openNew()
    const people = [person('1', 'a@x.edu'), person('2', 'b@x.edu')]
    for (const each of people) await makeKey(ledger, each, early)
    const moved = [person('1', 'b@x.edu'), person('2', 'c@x.edu')]
    await list(
      ledger,
      moved,
      people.map((each) => keyOf(each)),
      { at: late },
    )
    expect(keyOwners()).toEqual([
      ['hash-of-1', 'b@x.edu'],
      ['hash-of-2', 'c@x.edu'],
    ])
  })

  test('no reference is left open behind a move', async () => {
    const ledger = await openNew()
    const people = [person('1', 'a@x.edu'), person('2', 'b@x.edu')]
    for (const each of people) await makeKey(ledger, each, early)
    await list(ledger, [person('1', 'b@x.edu'), person('2', 'a@x.edu')], [], { at: late })
    expect(query('keys.db', 'PRAGMA foreign_key_check')).toEqual([])
  })

  test('a move that cannot be written whole is not written at all', async () => {
    const ledger = await openNew()
    const people = [person('1', 'a@x.edu'), person('2', 'b@x.edu')]
    for (const each of people) await makeKey(ledger, each, early)
    execute(
      'keys.db',
      "CREATE TRIGGER stop BEFORE UPDATE ON key WHEN new.email = 'a@x.edu' BEGIN SELECT RAISE(ABORT, 'stop'); END",
    )
    await expect(list(ledger, [person('1', 'b@x.edu'), person('2', 'a@x.edu')], [])).rejects.toThrow('stop')
    expect(keyOwners()).toEqual([
      ['hash-of-1', 'a@x.edu'],
      ['hash-of-2', 'b@x.edu'],
    ])
  })
})
