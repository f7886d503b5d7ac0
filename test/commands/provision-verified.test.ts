import { afterEach, describe, expect, test, vi } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import { OpenRouter } from '../../src/lib/openrouter/client.js'
import { useClassroom } from '../support/classroom.js'
import { student, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const ada = student(1, { limit_reset: 'weekly' })
afterEach(() => vi.restoreAllMocks())

/** An OpenRouter that gives each new key other limits than were asked for. */
function givesOtherwise(otherwise: { limit?: number; limit_reset?: null }): void {
  const { createKey } = OpenRouter.prototype
  vi.spyOn(OpenRouter.prototype, 'createKey').mockImplementation(async function (this: OpenRouter, request) {
    const made = await createKey.call(this, request)
    const { limit, limit_reset } = room.sandbox.state.editKey(made.key.hash, otherwise)
    return { ...made, key: { ...made.key, limit, limitReset: limit_reset } }
  })
}

const patches = () => room.requests('PATCH').map(({ body }) => body)

describe('a key that came out otherwise than asked for', () => {
  test.each([
    [{ limit: 99 }, { limit: 3 }],
    [{ limit_reset: null }, { limit: 3, limit_reset: 'weekly' }],
  ])('%j: is set right at once, and counts as created', async (otherwise, asked) => {
    await room.ok(InitDb)
    writeRoster([ada])
    givesOtherwise(otherwise)
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ created: 1 })
    expect(patches()).toEqual([asked])
    expect(room.sandbox.state.keys()).toMatchObject([{ limit: 3, limit_reset: 'weekly' }])
    expect(query('keys.db', 'SELECT credit_limit FROM key')).toEqual([{ credit_limit: 3 }])
  })

  test('and cannot be set right: counts as failed, and the secret is kept', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    givesOtherwise({ limit: 99 })
    room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'error', status: 400 } })
    const { json, exitCode } = await room.run(Provision, '--json')
    expect(exitCode).toBe(3)
    expect(json.students).toMatchObject([
      { outcome: 'failed', reason: 'a key was made, but with $99.00 weekly instead of $3.00 weekly' },
    ])
    expect(query('keys.db', 'SELECT count(*) AS n FROM secret')).toEqual([{ n: 1 }])
    expect(query('keys.db', 'SELECT count(*) AS n FROM pending_change')).toEqual([{ n: 0 }])
  })
})
