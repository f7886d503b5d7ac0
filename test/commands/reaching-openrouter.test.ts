import { describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Update from '../../src/commands/update.js'
import { MANAGEMENT_KEY, useClassroom } from '../support/classroom.js'
import { folderState, names } from '../support/folder.js'
import { hurry } from '../support/hurry.js'
import { student, students, writeLimits, writeRoster } from '../support/people.js'

const room = useClassroom()
const listings = () => room.requests().filter(({ path }) => path === '/keys')
const NETWORK = {
  check: Check,
  provision: Provision,
  update: Update,
  'refresh-limits-file': RefreshLimitsFile,
}

/** A class that is ready, so that nothing but the thing that is tried goes wrong. */
async function ready() {
  await room.ok(InitDb)
  writeRoster(students(2))
  writeLimits([])
}

/** An error in both its forms: a sentence on standard error, and a document on standard output. */
async function fails(command: (typeof NETWORK)[keyof typeof NETWORK]) {
  const human = await room.run(command)
  expect(human.stdout).toBe('')
  expect(human.stderr).not.toMatch(/\n\s+at |fault in class-keys/)
  const machine = await room.run(command, '--json')
  expect(machine.stderr).toBe('')
  expect(machine.exitCode).toBe(human.exitCode)
  expect(human.stderr).toContain(`Error: ${machine.json.error.message}`)
  expect(machine.json.error.exitCode).toBe(machine.exitCode)
  return { ...human, error: machine.json.error }
}

for (const [name, command] of Object.entries(NETWORK)) {
  describe(name, () => {
    test('without a ledger names init-db', async () => {
      writeRoster(students(2))
      writeLimits([])
      const { error } = await fails(command)
      expect(error).toMatchObject({ code: 'ledger_missing', exitCode: 2 })
      expect(error.message).toMatch(/^There is no ledger at keys\.db\. Run class-keys init-db to create it\./)
      expect(names()).toEqual(['limits.csv', 'roster.csv'])
      expect(room.requests()).toEqual([])
    })

    test('without a management key says which variable to set and where keys are made', async () => {
      await ready()
      vi.stubEnv('OPENROUTER_PROVISIONING_KEY', undefined)
      const before = folderState()
      const { error } = await fails(command)
      expect(error).toMatchObject({ code: 'no_management_key', exitCode: 2 })
      expect(error.message).toMatch(
        /OPENROUTER_PROVISIONING_KEY.*https:\/\/openrouter\.ai.*class-keys sandbox/,
      )
      expect(folderState()).toEqual(before)
      expect(room.requests()).toEqual([])
    })

    test('with a wrong key says that it is not accepted, and asks once', async () => {
      await ready()
      vi.stubEnv('OPENROUTER_PROVISIONING_KEY', 'sk-or-v1-of-nobody-at-all-0123456789')
      const { error, stderr } = await fails(command)
      expect(error).toMatchObject({ code: 'unauthorized', exitCode: 1, status: 401 })
      expect(error.message).toMatch(/does not accept the management key \(401: .*OPENROUTER_PROVISIONING_KEY/)
      expect(stderr).not.toContain('of-nobody-at-all')
      // Once for each of the two runs.
      expect(listings()).toHaveLength(2)
      expect(room.requests('POST')).toEqual([])
    })

    test('with a key for using models says that it must be a management key', async () => {
      await ready()
      vi.stubEnv('OPENROUTER_PROVISIONING_KEY', room.giveKey(student(1)).secret)
      const { error } = await fails(command)
      expect(error).toMatchObject({ code: 'forbidden', exitCode: 1, status: 403 })
      expect(error.message).toMatch(/403: Only management keys.*must be a management key/)
      expect(listings()).toHaveLength(2)
    })

    test('with an HTML page for an answer says so and what to look at', async () => {
      hurry()
      await ready()
      room.sandbox.faults.add({ effect: { kind: 'html', status: 200 } })
      const { error } = await fails(command)
      expect(error).toMatchObject({ code: 'bad_answer', exitCode: 1 })
      expect(error.message).toMatch(/openrouter\.ai\/api\/v1 answered with an HTML page.*OPENROUTER_BASE_URL/)
    })

    test("with an HTML page of the network's edge says that OpenRouter failed, without the page", async () => {
      hurry()
      await ready()
      room.sandbox.faults.add({ effect: { kind: 'html', status: 502 } })
      const { error } = await fails(command)
      expect(error).toMatchObject({ code: 'no_answer', exitCode: 1, status: 502 })
      expect(error.message).not.toMatch(/<|DOCTYPE/)
    })

    test('with no server there says so and names the address', async () => {
      hurry()
      await ready()
      room.sandbox.faults.add({ effect: { kind: 'reset' } })
      const { error } = await fails(command)
      expect(error).toMatchObject({ code: 'no_answer', exitCode: 1 })
      expect(error.message).toMatch(/https:\/\/openrouter\.ai\/api\/v1 could not be reached/)
    })

    test('with an answer of an unknown shape says so', async () => {
      await ready()
      room.sandbox.faults.add({ effect: { kind: 'wrong-shape' } })
      const { error } = await fails(command)
      expect(error).toMatchObject({ code: 'bad_answer', exitCode: 1 })
    })
  })
}

describe('the management key', () => {
  test("is taken under OpenRouter's newer name too", async () => {
    await ready()
    vi.stubEnv('OPENROUTER_PROVISIONING_KEY', undefined)
    vi.stubEnv('OPENROUTER_MANAGEMENT_KEY', MANAGEMENT_KEY)
    await room.ok(Check)
    room.sandbox.faults.add({ effect: { kind: 'error', status: 401 } })
    expect((await room.run(Check)).stderr).toMatch(
      /Check OPENROUTER_MANAGEMENT_KEY; management keys are made at/,
    )
  })

  test('under the name that this tool has always had wins', async () => {
    await ready()
    vi.stubEnv('OPENROUTER_MANAGEMENT_KEY', 'sk-or-v1-another-one-0123456789')
    await room.ok(Check)
  })

  test('that is set to nothing gives way to the other', async () => {
    await ready()
    vi.stubEnv('OPENROUTER_PROVISIONING_KEY', ' ')
    vi.stubEnv('OPENROUTER_MANAGEMENT_KEY', MANAGEMENT_KEY)
    await room.ok(Check)
  })

  test('with a space or line break around it is taken without', async () => {
    await ready()
    vi.stubEnv('OPENROUTER_PROVISIONING_KEY', ` ${MANAGEMENT_KEY}\n`)
    await room.ok(Check)
  })

  test('with a space inside it is refused without being shown', async () => {
    await ready()
    vi.stubEnv('OPENROUTER_PROVISIONING_KEY', 'sk-or-v1-first half-and-second')
    const { stderr, exitCode } = await room.run(Check)
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/holds a space or a character that no key has/)
    expect(stderr).not.toContain('half')
    expect(room.requests()).toEqual([])
  })

  test('is not shown even where the answer repeats it', async () => {
    await ready()
    room.sandbox.faults.add({
      effect: { kind: 'error', status: 400, message: `Bad key ${MANAGEMENT_KEY} of nobody` },
    })
    const { stderr, exitCode } = await room.run(Check)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/400: Bad key \[management key\] of nobody/)
  })

  test('is not shown with DEBUG either', async () => {
    await ready()
    vi.stubEnv('DEBUG', '1')
    room.sandbox.faults.add({ effect: { kind: 'error', status: 401 } })
    expect((await room.run(Check)).stderr).toMatch(/\n\s+at /)
  })
})

describe('OPENROUTER_BASE_URL', () => {
  test('replaces the address, with or without a slash at its end', async () => {
    await ready()
    vi.stubEnv('OPENROUTER_BASE_URL', 'https://openrouter.ai/api/v1/')
    await room.ok(Check)
    expect(room.requests()[0]?.path).toBe('/keys')
  })

  test('that is no web address is refused before anything is sent', async () => {
    await ready()
    for (const wrong of ['openrouter', 'ftp://openrouter.ai', '/api/v1']) {
      vi.stubEnv('OPENROUTER_BASE_URL', wrong)
      const { error } = await fails(Check)
      expect(error).toMatchObject({ code: 'bad_base_url', exitCode: 2 })
      expect(error.message).toMatch(/OPENROUTER_BASE_URL is not a web address/)
    }
    expect(room.requests()).toEqual([])
  })

  test('that holds a password is refused without being shown, in both forms', async () => {
    await ready()
    vi.stubEnv('OPENROUTER_BASE_URL', 'http://me:hunter2@host/api/v1')
    const { error, stderr } = await fails(Check)
    expect(error).toMatchObject({ code: 'bad_base_url', exitCode: 2 })
    expect(`${stderr}${JSON.stringify(error)}`).not.toContain('hunter2')
    expect(room.requests()).toEqual([])
  })

  test('into which the key was pasted by mistake is not shown', async () => {
    await ready()
    vi.stubEnv('OPENROUTER_BASE_URL', MANAGEMENT_KEY)
    const { error } = await fails(Check)
    expect(error.code).toBe('bad_base_url')
  })
})

test('a listing that succeeds at the second attempt is a success, and --json tells of the attempt', async () => {
  hurry()
  await ready()
  room.sandbox.faults.add({ nth: 1, effect: { kind: 'error', status: 503 } })
  room.sandbox.faults.add({ nth: 2, effect: { kind: 'reset' } })
  const { json } = await room.ok(Check, '--json')
  expect(json.retries).toEqual({ rateLimited: 0, serverErrors: 1, timeouts: 0, lostConnections: 1 })
})

test('Retry-After is obeyed', async () => {
  hurry()
  await ready()
  room.sandbox.faults.add({ nth: 1, effect: { kind: 'rate-limit', retryAfter: 0.2 } })
  const started = performance.now()
  const { json } = await room.ok(Check, '--json')
  expect(json.retries.rateLimited).toBe(1)
  expect(performance.now() - started).toBeGreaterThan(190)
})
