import { describe, expect, test } from 'vitest'
import { createSandbox, SANDBOX_MANAGEMENT_KEY } from '../../src/lib/sandbox/sandbox.js'
import { ask, sandboxAt } from './asking.js'

const { sandbox, clock } = sandboxAt('2026-03-02T10:00:00Z')
const student = sandbox.state.addKey({ name: 'Ada', limit: 5, limit_reset: 'daily', usage: 2 })
const disabled = sandbox.state.addKey({ name: 'Bilal', disabled: true })
const expiring = sandbox.state.addKey({ name: 'Chiara', expires_at: new Date('2026-03-03T00:00:00Z') })

const MANAGEMENT_CALLS: [string, string][] = [
  ['GET', '/keys'],
  ['POST', '/keys'],
  ['GET', `/keys/${student.hash}`],
  ['PATCH', `/keys/${student.hash}`],
  ['DELETE', `/keys/${student.hash}`],
  ['GET', '/credits'],
  ['GET', '/guardrails'],
  ['POST', '/guardrails'],
  ['GET', '/guardrails/assignments/keys'],
  ['GET', '/workspaces'],
  ['POST', '/workspaces'],
]

describe.each(MANAGEMENT_CALLS)('%s %s', (method, path) => {
  test.each([
    ['no key', null, 401, /key/i],
    ['a wrong key', 'sk-or-v1-wrong', 401, /key/i],
    ['a disabled key', disabled.secret, 401, /key/i],
    ["a student's key", student.secret, 403, /^Only management keys can perform this operation$/],
  ])('with %s', async (_, key, status, message) => {
    const before = sandbox.state.keys()
    const body = method === 'GET' || method === 'DELETE' ? undefined : { name: 'x' }
    const answer = await ask(sandbox, method, path, { key, body })
    expect(answer.status).toBe(status)
    expect(answer.body).toEqual({ error: { code: status, message: expect.stringMatching(message) } })
    expect(sandbox.state.keys()).toEqual(before)
  })
})

test.each(['Bearer', 'Basic abc', SANDBOX_MANAGEMENT_KEY, `Bearer${SANDBOX_MANAGEMENT_KEY}`])(
  'an Authorization header of "%s" is none',
  async (authorization) => {
    const request = new Request('http://host/api/v1/keys', { headers: { authorization } })
    expect((await sandbox.fetch(request)).status).toBe(401)
  },
)

describe('GET /key', () => {
  test("tells a student's key about itself", async () => {
    const { status, body } = await ask(sandbox, 'GET', '/key', { key: student.secret })
    expect(status).toBe(200)
    expect(body.data).toMatchObject({
      label: student.label,
      limit: 5,
      limit_remaining: 3,
      limit_reset: 'daily',
      usage: 2,
      is_management_key: false,
      is_provisioning_key: false,
      workspace_id: sandbox.state.defaultWorkspaceId,
    })
  })

  test('tells the management key that it is one, and shows it no more than a label', async () => {
    const { body } = await ask(sandbox, 'GET', '/key')
    expect(body.data).toMatchObject({ is_management_key: true, limit: null, usage: 0, workspace_id: null })
    expect(JSON.stringify(body)).not.toContain(SANDBOX_MANAGEMENT_KEY)
  })

  test('refuses a key from the moment of its expiry', async () => {
    clock.set('2026-03-02T23:59:59Z')
    expect((await ask(sandbox, 'GET', '/key', { key: expiring.secret })).status).toBe(200)
    clock.set('2026-03-03T00:00:00Z')
    expect((await ask(sandbox, 'GET', '/key', { key: expiring.secret })).status).toBe(401)
  })

  test.each([null, 'sk-or-v1-wrong', disabled.secret])('refuses others', async (key) => {
    expect((await ask(sandbox, 'GET', '/key', { key })).status).toBe(401)
  })
})

test('another management key may be set', async () => {
  expect(createSandbox().managementKey).toBe(SANDBOX_MANAGEMENT_KEY)
  const other = createSandbox({ managementKey: 'sk-or-v1-other' })
  expect((await ask(other, 'GET', '/keys')).status).toBe(200)
  expect((await ask(other, 'GET', '/keys', { key: SANDBOX_MANAGEMENT_KEY })).status).toBe(401)
})

test('what is kept of a request is what was asked, and never the key', async () => {
  const fresh = createSandbox({ now: () => new Date('2026-03-02T10:00:00Z') })
  await ask(fresh, 'GET', '/keys?offset=100')
  await ask(fresh, 'POST', '/keys', { body: { name: 'Ada' } })
  await ask(fresh, 'POST', '/keys', { raw: '{', key: 'sk-or-v1-wrong' })
  const at = new Date('2026-03-02T10:00:00Z')
  expect(fresh.state.requests).toEqual([
    { method: 'GET', path: '/keys', query: 'offset=100', at },
    { method: 'POST', path: '/keys', query: '', at, body: { name: 'Ada' } },
    { method: 'POST', path: '/keys', query: '', at, body: '{' },
  ])
})
