import { describe, expect, test } from 'vitest'
import type { Ledger } from '../../src/db/ledger.js'
import type { NewRotation } from '../../src/lib/core/rotation.js'
import type { Person } from '../../src/lib/core/student.js'
import { useFolder } from '../support/folder.js'
import { keyOf, madeUpSecret, person, requestOf } from '../support/model.js'
import { execute, query } from '../support/sqlite.js'
import { useLedgers } from './ledger.js'

useFolder()
const openNew = useLedgers()

const ADA = person('ab1', 'ada@students.example.edu')
const BILAL = person('2', 'bilal@students.example.edu')
const GUARDRAIL = { id: 'g1', name: 'Small models' }
/** Moments of one story, in milliseconds. */
const [FIRST, SECOND, THIRD] = [new Date(1_000), new Date(2_000), new Date(3_000)]

function begin(of: Person, oldHash: string, over: Partial<NewRotation> = {}): NewRotation {
  return { mqId: of.mqId, oldHash, deleteOld: false, retireAt: FIRST, ...over }
}

/** Makes a key in the place of another one, as far as the ledger is concerned. */
async function replace(
  ledger: Ledger,
  of: Person,
  [oldHash, newHash]: [string | null, string],
  { at = FIRST, guardrail = null as typeof GUARDRAIL | null } = {},
): Promise<void> {
  const request = requestOf(of, { replaces: oldHash, guardrail })
  const [id = 0] = await ledger.intend([request], at)
  const made = { key: keyOf(of, { hash: newHash }), secret: `${madeUpSecret(of)}-${newHash}` }
  await ledger.completeCreation(id, request, made, at)
}

/** The rotations that something is left to do for, in a few words. */
async function unfinished(ledger: Ledger): Promise<string[]> {
  const rows = await ledger.unfinishedRotations()
  return rows.map(
    ({ oldHash, newHash, retiredAt, closedAt }) =>
      `${oldHash} → ${newHash}${retiredAt ? ' retired' : ''}${closedAt ? ' closed' : ''}`,
  )
}

/** A ledger that has begun to replace Ada's key a1 and Bilal's b1, the old ones to be kept until a moment. */
async function begun(retireAt = FIRST): Promise<Ledger> {
  const ledger = await openNew()
  await replace(ledger, ADA, [null, 'a1'])
  await replace(ledger, BILAL, [null, 'b1'])
  await ledger.markHandedOut(['a1', 'b1'], 'before.csv')
  await ledger.addRotations([begin(ADA, 'a1', { retireAt }), begin(BILAL, 'b1', { retireAt })], FIRST)
  return ledger
}

describe('what a run sets out to do', () => {
  test('is written down as it is, before anything is made', async () => {
    const ledger = await openNew()
    expect(await ledger.unfinishedRotations()).toEqual([])
    await ledger.addRotations([begin(ADA, 'a1', { deleteOld: true, retireAt: THIRD })], SECOND)
    expect(await ledger.unfinishedRotations()).toEqual([
      {
        id: 1,
        mqId: ADA.mqId,
        oldHash: 'a1',
        newHash: null,
        deleteOld: true,
        retireAt: THIRD,
        plannedAt: SECOND,
        retiredAt: null,
        closedAt: null,
      },
    ])
  })

  test('is written down all or not at all', async () => {
    const ledger = await openNew()
    execute(
      'keys.db',
      "CREATE TRIGGER stop BEFORE INSERT ON rotation WHEN NEW.old_hash = 'b1' BEGIN SELECT RAISE(ABORT, 'stop'); END",
    )
    await expect(ledger.addRotations([begin(ADA, 'a1'), begin(BILAL, 'b1')], FIRST)).rejects.toThrow('stop')
    expect(await ledger.unfinishedRotations()).toEqual([])
  })

  test('takes over an older key that is kept: it is a part of this run then', async () => {
    const ledger = await begun(THIRD)
    await replace(ledger, ADA, ['a1', 'a2'])
    await ledger.markHandedOut(['a2'], 'keys.csv')
    await ledger.closeRotations([], FIRST)
    const later = [
      begin(ADA, 'a2', { retireAt: SECOND }),
      begin(ADA, 'a1', { retireAt: SECOND, deleteOld: true }),
    ]
    await ledger.addRotations(later, SECOND)
    const [first, ...others] = await ledger.unfinishedRotations()
    expect(first).toMatchObject({
      oldHash: 'a1',
      newHash: 'a2',
      deleteOld: true,
      retireAt: SECOND,
      plannedAt: SECOND,
      closedAt: null,
    })
    expect(others.map(({ oldHash }) => oldHash)).toEqual(['b1', 'a2'])
  })

  test('does not wake a rotation that is over', async () => {
    const ledger = await begun()
    await ledger.closeRotations([1], SECOND)
    await ledger.addRotations([begin(ADA, 'a1')], THIRD)
    expect(query('keys.db', "SELECT planned_at FROM rotation WHERE old_hash = 'a1' ORDER BY id")).toEqual([
      { planned_at: 1_000 },
      { planned_at: 3_000 },
    ])
  })
})

describe('what is unfinished', () => {
  test('comes with those of the same run that are done, and not with those of other runs', async () => {
    const ledger = await begun()
    await ledger.closeRotations([1], SECOND)
    expect(await unfinished(ledger)).toEqual(['a1 → null retired closed', 'b1 → null'])
    await ledger.closeRotations([2], SECOND)
    await ledger.addRotations([begin(ADA, 'a9')], THIRD)
    expect(await unfinished(ledger)).toEqual(['a9 → null'])
  })

  test('is an old key that is kept, also when its run is over', async () => {
    const ledger = await begun(THIRD)
    await replace(ledger, ADA, ['a1', 'a2'])
    await replace(ledger, BILAL, ['b1', 'b2'])
    await ledger.markHandedOut(['a2', 'b2'], 'keys.csv')
    await ledger.closeRotations([], SECOND)
    expect(await unfinished(ledger)).toEqual(['a1 → a2 closed', 'b1 → b2 closed'])
    await ledger.markRetired(['a1', 'b1'], THIRD)
    expect(await unfinished(ledger)).toEqual([])
  })
})

describe('a new key', () => {
  test('is written down with the commit of its secret', async () => {
    const ledger = await begun()
    execute(
      'keys.db',
      "CREATE TRIGGER stop BEFORE INSERT ON secret WHEN NEW.key_hash = 'a2' BEGIN SELECT RAISE(ABORT, 'stop'); END",
    )
    await expect(replace(ledger, ADA, ['a1', 'a2'])).rejects.toThrow('stop')
    expect(await unfinished(ledger)).toEqual(['a1 → null', 'b1 → null'])
    execute('keys.db', 'DROP TRIGGER stop')
    await replace(ledger, ADA, ['a1', 'a2'])
    expect(await unfinished(ledger)).toEqual(['a1 → a2', 'b1 → null'])
    expect((await ledger.knownClass()).replaced).toEqual(new Map([['a1', 'a2']]))
  })

  test('takes the place of the older keys too that are kept, and of no retired one', async () => {
    const ledger = await begun(THIRD)
    await replace(ledger, ADA, ['a1', 'a2'])
    await replace(ledger, BILAL, ['b1', 'b2'])
    await ledger.markRetired(['b1'], FIRST)
    await ledger.markHandedOut(['a2', 'b2'], 'keys.csv')
    await ledger.closeRotations([], FIRST)
    await ledger.addRotations([begin(ADA, 'a2', { retireAt: THIRD }), begin(BILAL, 'b2')], SECOND)
    await replace(ledger, ADA, ['a2', 'a3'])
    await replace(ledger, BILAL, ['b2', 'b3'])
    expect((await ledger.knownClass()).replaced).toEqual(
      new Map([
        ['a1', 'a3'],
        ['b1', 'b2'],
        ['a2', 'a3'],
        ['b2', 'b3'],
      ]),
    )
    // The one that is kept stays until its day, and is not a part of this run.
    expect(await unfinished(ledger)).toEqual([
      'a1 → a3 closed',
      'b1 → b2 retired closed',
      'a2 → a3',
      'b2 → b3',
    ])
  })

  test('that was lost is made once more, for the older keys too whose place it was to take', async () => {
    const ledger = await begun()
    await replace(ledger, ADA, ['a1', 'a2'])
    await ledger.addRotations([begin({ ...ADA, mqId: ADA.mqId.toUpperCase() }, 'a2')], SECOND)
    await replace(ledger, ADA, ['a2', 'a3'])
    await replace(ledger, ADA, ['a2', 'a4'])
    expect(await unfinished(ledger)).toEqual(['a1 → a4', 'b1 → null', 'a2 → a4'])
  })

  test('that was lost when the old one was retired already is made once more by the same entry', async () => {
    const ledger = await begun()
    await replace(ledger, ADA, ['a1', 'a2'])
    await ledger.markRetired(['a1'], SECOND)
    await replace(ledger, ADA, ['a1', 'a3'])
    expect((await unfinished(ledger))[0]).toBe('a1 → a3 retired')
  })

  test('leaves alone what is over', async () => {
    const ledger = await begun()
    await replace(ledger, ADA, ['a1', 'a2'])
    await ledger.markRetired(['a1'], SECOND)
    await ledger.markHandedOut(['a2'], 'keys.csv')
    await ledger.closeRotations([], SECOND)
    // The old key was enabled again by hand, and is replaced without an entry.
    await replace(ledger, ADA, ['a1', 'a9'])
    expect((await ledger.knownClass()).replaced.get('a1')).toBe('a2')
  })
})

describe('a rotation is over', () => {
  const conditions = {
    made: (ledger: Ledger) => replace(ledger, ADA, ['a1', 'a2'], { guardrail: GUARDRAIL }),
    'in a file': (ledger: Ledger) => ledger.markHandedOut(['a2'], 'keys.csv'),
    assigned: (ledger: Ledger) => ledger.recordAssigned(['a2'], GUARDRAIL, SECOND),
    retired: (ledger: Ledger) => ledger.markRetired(['a1'], SECOND),
  }
  const names = Object.keys(conditions) as (keyof typeof conditions)[]
  const isOpen = async (ledger: Ledger) => {
    await ledger.closeRotations([], SECOND)
    const [row] = await ledger.unfinishedRotations()
    return row?.oldHash === 'a1' && row.closedAt === null
  }

  test('when the new key is made, has its guardrail and is in a file, and the old one is retired', async () => {
    const ledger = await begun()
    for (const name of names) {
      expect(await isOpen(ledger), `before it is ${name}`).toBe(true)
      await conditions[name](ledger)
    }
    expect(await isOpen(ledger)).toBe(false)
    expect(query('keys.db', 'SELECT closed_at FROM rotation ORDER BY id')).toEqual([
      { closed_at: 2_000 },
      { closed_at: null },
    ])
  })

  test.each(names.slice(1))('and not before: all but %s', async (missing) => {
    const ledger = await begun()
    for (const name of names) if (name !== missing) await conditions[name](ledger)
    expect(await isOpen(ledger)).toBe(true)
  })

  test('where there is no guardrail, without one', async () => {
    const ledger = await begun()
    await replace(ledger, ADA, ['a1', 'a2'])
    await conditions['in a file'](ledger)
    expect(await isOpen(ledger)).toBe(true)
    await conditions.retired(ledger)
    expect(await isOpen(ledger)).toBe(false)
  })

  test.each([
    [SECOND, 'is to be retired now', true],
    [THIRD, 'is kept until a later day', false],
  ])('where the old key of %o %s: open is %j', async (retireAt, _, open) => {
    const ledger = await begun(retireAt)
    await replace(ledger, ADA, ['a1', 'a2'])
    await conditions['in a file'](ledger)
    expect(await isOpen(ledger)).toBe(open)
  })

  test('when it is moot, with nothing left to retire', async () => {
    const ledger = await begun()
    await ledger.closeRotations([2], SECOND)
    expect(await unfinished(ledger)).toEqual(['a1 → null', 'b1 → null retired closed'])
  })

  test('and stays over: the times of its end do not change', async () => {
    const ledger = await begun()
    for (const name of names) await conditions[name](ledger)
    await ledger.closeRotations([], SECOND)
    await ledger.markRetired(['a1', 'nobody'], THIRD)
    await ledger.closeRotations([], THIRD)
    expect(query('keys.db', 'SELECT retired_at, closed_at FROM rotation WHERE id = 1')).toEqual([
      { retired_at: 2_000, closed_at: 2_000 },
    ])
  })
})
