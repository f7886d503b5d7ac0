import { expect } from 'vitest'
import {
  changelog,
  deletedBy,
  expectTidy,
  handedOut,
  keysOfEach,
  openCreations,
  openRotations,
} from './end-state.js'
import { exportInside } from './inside.js'
import { openRoom, type Room, runWell } from './stories.js'

/** A class in which everybody has a key that is to be replaced. */
export interface RotationRoom extends Room {
  /** The hashes of the keys that are to be replaced. */
  before: ReadonlySet<string>
  /** Who was ever without a key that works, while the program was at work. */
  lockedOut: Set<string>
  /** Old keys that were to be retired before the secret of the new one was in a file. */
  tooEarly: Set<string>
}

/** Opens a class in which everybody has a key, and looks on whether anybody is ever without one. */
export async function openRotationRoom(
  people: Room['people'],
  provision: string[] = [],
): Promise<RotationRoom> {
  return openRotation(await openRoom(people, {}), provision)
}

/** Gives everybody of a room a key, and looks on whether anybody is ever without one. */
export async function openRotation(room: Room, provision: string[] = []): Promise<RotationRoom> {
  const { people } = room
  await runWell(room, 'provision', ...provision)
  const before = new Set(room.sandbox.state.keys().map((key) => key.hash))
  room.sandbox.state.requests.length = 0
  const lockedOut = new Set<string>()
  const tooEarly = new Set<string>()
  const look = (_: number, { method, path }: { method: string; path: string }) => {
    const theirs = keysOfEach(room.sandbox, people)
    theirs.forEach((keys, i) => {
      if (!keys.some((key) => !key.disabled)) lockedOut.add(people[i]?.email ?? '')
    })
    const hash = path.replace('/keys/', '')
    if ((method !== 'PATCH' && method !== 'DELETE') || !before.has(hash) || !room.sandbox.state.key(hash))
      return
    const [fresh] = theirs.find((keys) => keys.some((key) => key.hash === hash)) ?? []
    const isInFile = handedOut(room.folder).some((row) => row.api_key === fresh?.secret)
    if (fresh?.hash === hash || !isInFile) tooEarly.add(hash)
  }
  room.sandbox.faults.add({ effect: { kind: 'before', run: look } })
  return { ...room, before, lockedOut, tooEarly }
}

/**
 * The end that every rotation must come to: each person has one key that works, a new one, whose secret is in the
 * ledger and in a file; no second new key was left; the old ones are out of use; everything stands in the changelog
 * once; nobody was ever without a key, and none was taken away before the secret of the new one was in a file.
 */
export async function expectRotated(room: RotationRoom, { deleteOld = false } = {}): Promise<void> {
  const { folder, sandbox, people, before, lockedOut, tooEarly } = room
  const theirs = keysOfEach(sandbox, people)
  const fresh = theirs.map((keys) => keys.filter((key) => !before.has(key.hash)))
  expect(fresh.map((keys) => keys.map((key) => key.disabled))).toEqual(people.map(() => [false]))
  const old = theirs.flatMap((keys) => keys.filter((key) => before.has(key.hash)))
  expect(old.map((key) => key.disabled)).toEqual(deleteOld ? [] : people.map(() => true))

  const secrets = fresh.flat().map((key) => key.secret)
  const exported = new Set((await exportInside(room)).map((key) => key.api_key))
  expect(secrets.filter((secret) => !exported.has(secret))).toEqual([])
  const files = new Set(handedOut(folder).map((row) => row.api_key))
  expect(secrets.filter((secret) => !files.has(secret))).toEqual([])

  const log = changelog(folder)
  const logged = (action: string) => log.filter((row) => row.action === action).map((row) => row.hash)
  const made = [...before, ...fresh.flat().map((key) => key.hash)]
  expect(logged('provisioned').sort()).toEqual(made.sort())
  expect(logged(deleteOld ? 'deleted' : 'update_disabled').sort()).toEqual([...before].sort())
  expect(logged('deleted_lost').sort()).toEqual(
    deletedBy(sandbox)
      .filter((hash) => !before.has(hash))
      .sort(),
  )
  expect(log.filter((row) => row.action.startsWith('observed_'))).toEqual([])

  expect(openCreations(folder)).toEqual([])
  expect(openRotations(folder)).toEqual([])
  expectTidy(folder)
  expect([...lockedOut]).toEqual([])
  expect([...tooEarly]).toEqual([])
}
