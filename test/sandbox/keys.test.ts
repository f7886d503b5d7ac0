import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { DEFAULT_WORKSPACE_ID } from '../../src/lib/sandbox/workspace-store.js'
import { ask, sandboxAt } from './asking.js'

const { sandbox, clock } = sandboxAt('2026-03-02T10:00:00Z')
const ada = '20260302_Ada Quill_48200001'

beforeEach(() => {
  clock.set('2026-03-02T10:00:00Z')
  for (const { hash } of sandbox.state.keys()) sandbox.state.deleteKey(hash)
})

describe('creating', () => {
  test('gives the secret and a key with every field', async () => {
    const { status, body } = await ask(sandbox, 'POST', '/keys', { body: { name: ada } })
    expect(status).toBe(201)
    expect(body.key).toMatch(/^sk-or-v1-[0-9a-f]{64}$/)
    expect(body.data).toEqual({
      hash: createHash('sha256').update(body.key).digest('hex'),
      name: ada,
      label: `${body.key.slice(0, 12)}…${body.key.slice(-4)}`,
      disabled: false,
      limit: null,
      limit_remaining: null,
      limit_reset: null,
      include_byok_in_limit: false,
      usage: 0,
      usage_daily: 0,
      usage_weekly: 0,
      usage_monthly: 0,
      byok_usage: 0,
      byok_usage_daily: 0,
      byok_usage_weekly: 0,
      byok_usage_monthly: 0,
      created_at: expect.stringMatching(/^2026-03-02T10:00:00\.\d{6}\+00:00$/),
      updated_at: null,
      expires_at: null,
      creator_user_id: null,
      external_user: null,
      workspace_id: DEFAULT_WORKSPACE_ID,
    })
  })

  test('takes all that can be said', async () => {
    const wanted = {
      name: ada,
      limit: 2.5,
      limit_reset: 'weekly',
      include_byok_in_limit: true,
      creator_user_id: 'u',
    }
    const { body } = await ask(sandbox, 'POST', '/keys', {
      body: { ...wanted, expires_at: '2026-11-30T23:59:59Z', workspace_id: DEFAULT_WORKSPACE_ID },
    })
    expect(body.data).toMatchObject({
      ...wanted,
      limit_remaining: 2.5,
      expires_at: '2026-11-30T23:59:59.000000+00:00',
    })
  })

  test('takes a limit of zero for zero', async () => {
    const { body } = await ask(sandbox, 'POST', '/keys', { body: { name: ada, limit: 0 } })
    expect(body.data).toMatchObject({ limit: 0, limit_remaining: 0 })
  })

  test('gives two keys of one name two hashes and two times, though the clock stands still', async () => {
    const [one, two] = [
      await ask(sandbox, 'POST', '/keys', { body: { name: ada } }),
      await ask(sandbox, 'POST', '/keys', { body: { name: ada } }),
    ]
    expect(two.body.key).not.toBe(one.body.key)
    expect(two.body.data.hash).not.toBe(one.body.data.hash)
    expect(two.body.data.created_at > one.body.data.created_at).toBe(true)
  })

  test('never gives the secret again', async () => {
    const { body } = await ask(sandbox, 'POST', '/keys', { body: { name: ada } })
    const { hash } = body.data
    const answers = [
      await ask(sandbox, 'GET', '/keys'),
      await ask(sandbox, 'GET', `/keys/${hash}`),
      await ask(sandbox, 'PATCH', `/keys/${hash}`, { body: { limit: 3 } }),
      await ask(sandbox, 'GET', '/key', { key: body.key }),
      await ask(sandbox, 'DELETE', `/keys/${hash}`),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(JSON.stringify(answers)).not.toContain(body.key)
    expect(JSON.stringify(sandbox.state.requests)).not.toContain(body.key)
  })
})

describe('changing', () => {
  test.each([
    [{ name: 'other' }, { name: 'other' }],
    [{ disabled: true }, { disabled: true }],
    [{ limit: 8 }, { limit: 8, limit_remaining: 8 }],
    [{ limit: 0 }, { limit: 0, limit_remaining: 0 }],
    [{ limit: null }, { limit: null, limit_remaining: null }],
    [{ limit_reset: 'daily' }, { limit_reset: 'daily', limit: 3 }],
    [{ limit_reset: null }, { limit_reset: null }],
    [{ include_byok_in_limit: true }, { include_byok_in_limit: true }],
    [
      { limit: 7, disabled: true },
      { limit: 7, disabled: true },
    ],
  ])('%j', async (change, expected) => {
    const { hash } = sandbox.state.addKey({ name: ada, limit: 3, limit_reset: 'monthly' })
    clock.set('2026-03-03T10:00:00Z')
    const { status, body } = await ask(sandbox, 'PATCH', `/keys/${hash}`, { body: change })
    expect(status).toBe(200)
    expect(body.data).toMatchObject({ ...expected, hash, updated_at: '2026-03-03T10:00:00.000000+00:00' })
    expect((await ask(sandbox, 'GET', `/keys/${hash}`)).body).toEqual(body)
  })

  test('an empty change changes nothing', async () => {
    const { secret, ...before } = sandbox.state.addKey({ name: ada, limit: 3 })
    const { status, body } = await ask(sandbox, 'PATCH', `/keys/${before.hash}`, { body: {} })
    expect({ status, data: body.data }).toEqual({ status: 200, data: before })
  })
})

test('deleting works once', async () => {
  const { hash } = sandbox.state.addKey({ name: ada })
  const twice = [await ask(sandbox, 'DELETE', `/keys/${hash}`), await ask(sandbox, 'DELETE', `/keys/${hash}`)]
  expect(twice.map(({ status }) => status)).toEqual([200, 404])
  expect(twice[0]?.body).toEqual({ deleted: true })
  expect(sandbox.state.keys()).toEqual([])
})

describe('refused with 400 and the name of what is wrong', () => {
  const id = '11111111-1111-4111-8111-111111111111'
  test.each<[string, string, unknown, RegExp]>([
    ['POST', '/keys', {}, /^name/],
    ['POST', '/keys', { name: '' }, /^name/],
    ['POST', '/keys', { name: 5 }, /^name/],
    ['POST', '/keys', { name: 'x', disabled: false }, /^disabled: unknown field/],
    ['POST', '/keys', { name: 'x', hash: 'h' }, /^hash: unknown field/],
    ['POST', '/keys', { name: 'x', limit: -1 }, /^limit/],
    ['POST', '/keys', { name: 'x', limit: '3' }, /^limit/],
    ['POST', '/keys', { name: 'x', limit_reset: 'yearly' }, /^limit_reset/],
    ['POST', '/keys', { name: 'x', limit_reset: '' }, /^limit_reset/],
    ['POST', '/keys', { name: 'x', include_byok_in_limit: 'no' }, /^include_byok_in_limit/],
    ['POST', '/keys', { name: 'x', creator_user_id: '' }, /^creator_user_id/],
    ['POST', '/keys', { name: 'x', workspace_id: 'default' }, /^workspace_id/],
    ['POST', '/keys', { name: 'x', workspace_id: id }, /^workspace_id: no such/],
    ['POST', '/keys', { name: 'x', expires_at: '2026-11-30' }, /^expires_at/],
    ['POST', '/keys', { name: 'x', expires_at: '2026-11-30T23:59Z' }, /^expires_at: must be in UTC/],
    ['POST', '/keys', { name: 'x', expires_at: '2026-11-30T23:59:59' }, /^expires_at/],
    ['POST', '/keys', { name: 'x', expires_at: '2026-11-30T23:59:59+00:00' }, /^expires_at/],
    ['POST', '/keys', { name: 'x', expires_at: '2026-11-30T23:59:59+11:00' }, /^expires_at/],
    ['POST', '/keys', { name: 'x', expires_at: '2026-02-30T23:59:59Z' }, /^expires_at/],
    [
      'POST',
      '/keys',
      { name: 'x', expires_at: '2026-03-02T10:00:00Z' },
      /^expires_at: must be in the future/,
    ],
    ['POST', '/keys', ['x'], /expected object/],
    ['PATCH', '/keys/HASH', { expires_at: '2026-11-30T23:59:59Z' }, /^expires_at: unknown/],
    ['PATCH', '/keys/HASH', { workspace_id: DEFAULT_WORKSPACE_ID }, /^workspace_id: unknown/],
    ['PATCH', '/keys/HASH', { creator_user_id: 'u' }, /^creator_user_id: unknown/],
    ['PATCH', '/keys/HASH', { limit: 'unlimited' }, /^limit/],
    ['PATCH', '/keys/HASH', { limit: -0.01 }, /^limit/],
    ['PATCH', '/keys/HASH', { disabled: null }, /^disabled/],
    ['PATCH', '/keys/HASH', { disabled: 'true' }, /^disabled/],
    ['PATCH', '/keys/HASH', { name: null }, /^name/],
    ['PATCH', '/keys/HASH', { limit: 5, limits: 5 }, /^limits: unknown/],
  ])('%s %s %j', async (method, path, body, message) => {
    const { hash } = sandbox.state.addKey({ name: ada, limit: 3 })
    const before = sandbox.state.keys()
    const answer = await ask(sandbox, method, path.replace('HASH', hash), { body })
    expect(answer.body).toEqual({ error: { code: 400, message: expect.stringMatching(message) } })
    expect(answer.status).toBe(400)
    expect(sandbox.state.keys()).toEqual(before)
  })

  test.each([undefined, '', '{', '"x"', 'null', '{"name": "x", "limit": 1e999}'])(
    'a body of %j',
    async (raw) => {
      const answer = await ask(sandbox, 'POST', '/keys', raw === undefined ? {} : { raw })
      expect(answer.status).toBe(400)
      expect(answer.body.error.code).toBe(400)
      expect(sandbox.state.keys()).toEqual([])
    },
  )

  test.each([
    'offset=-1',
    'offset=1.5',
    'offset=ten',
    'offset=',
    'limit=50',
    'include_disabled=yes',
    'include_disabled=1',
    'include_disabled=',
    'workspace_id=default',
    'offset=0&offset=100',
  ])('GET /keys?%s', async (query) => {
    const answer = await ask(sandbox, 'GET', `/keys?${query}`)
    expect(answer.status).toBe(400)
    expect(answer.body.error.message).toMatch(new RegExp(`^${query.split('=')[0]}: `))
  })
})

test.each([
  ['GET', '/keys/0000', 404],
  ['PATCH', '/keys/0000', 404],
  ['DELETE', '/keys/0000', 404],
  ['GET', '/keys/', 404],
  ['GET', '/nothing', 404],
  ['GET', '/models', 404],
  ['PUT', '/keys', 405],
  ['DELETE', '/keys', 405],
  ['POST', '/keys/0000', 405],
  ['POST', '/credits', 405],
])('%s %s is %i', async (method, path, status) => {
  const answer = await ask(sandbox, method, path, method === 'PATCH' ? { body: {} } : {})
  expect(answer.status).toBe(status)
  expect(answer.body).toEqual({ error: { code: status, message: expect.any(String) } })
})

test('another base path is not found', async () => {
  const headers = { authorization: `Bearer ${sandbox.managementKey}` }
  for (const path of ['/keys', '/v1/keys', '/api/v2/keys', '/api/v1', '/']) {
    expect((await sandbox.fetch(new Request(`http://host${path}`, { headers }))).status).toBe(404)
  }
})
