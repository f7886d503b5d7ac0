import { OpenRouter } from '@openrouter/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSandbox } from '../../src/lib/sandbox/sandbox.js'
import { type ServedSandbox, serve } from '../../src/lib/sandbox/serve.js'

// The official client checks each answer against the official description: a shape it refuses is wrong.
const sandbox = createSandbox({ keys: 130 })
let served: ServedSandbox

beforeAll(async () => {
  served = await serve(sandbox)
})
afterAll(() => served.close())

const client = (apiKey = sandbox.managementKey) =>
  new OpenRouter({ apiKey, serverURL: served.url, retryConfig: { strategy: 'none' } })

describe('the official client', () => {
  test('lists keys', async () => {
    const { apiKeys } = client()
    const first = await apiKeys.list({ includeDisabled: true })
    const second = await apiKeys.list({ includeDisabled: true, offset: 100 })
    expect([first.data.length, second.data.length]).toEqual([100, 30])
    expect([...first.data, ...second.data].map(({ hash }) => hash)).toEqual(
      sandbox.state.keys().map(({ hash }) => hash),
    )
    expect((await apiKeys.list({ offset: 100 })).data).toHaveLength(17)
    expect((await apiKeys.list({ workspaceId: sandbox.state.defaultWorkspaceId })).data).toHaveLength(100)
  })

  test('takes a key through its life', async () => {
    const { apiKeys } = client()
    const expiresAt = new Date(Date.now() + 24 * 60 * 60 * 1000)
    const created = await apiKeys.create({
      requestBody: { name: '20260302_Ada Quill_48200001', limit: 3, limitReset: 'monthly', expiresAt },
    })
    const { hash } = created.data
    expect(sandbox.state.key(hash)?.secret).toBe(created.key)
    expect(created.data).toMatchObject({ limit: 3, limitRemaining: 3, limitReset: 'monthly', expiresAt })
    expect((await apiKeys.get({ hash })).data).toEqual(created.data)
    const updated = await apiKeys.update({
      hash,
      requestBody: { limit: null, disabled: true, limitReset: null },
    })
    expect(updated.data).toMatchObject({
      hash,
      limit: null,
      limitRemaining: null,
      limitReset: null,
      disabled: true,
    })
    expect(await apiKeys.delete({ hash })).toEqual({ deleted: true })
    await expect(apiKeys.delete({ hash })).rejects.toMatchObject({ statusCode: 404, error: { code: 404 } })
  })

  test('asks about the key that it uses', async () => {
    const { secret } = sandbox.state.addKey({ name: 'Bilal', limit: 5, usage: 2 })
    const own = await client(secret).apiKeys.getCurrentKeyMetadata()
    expect(own.data).toMatchObject({ limit: 5, limitRemaining: 3, usage: 2, isManagementKey: false })
    expect((await client().apiKeys.getCurrentKeyMetadata()).data.isManagementKey).toBe(true)
  })

  test('understands what is refused', async () => {
    const { secret } = sandbox.state.addKey({ name: 'Chiara' })
    const create = (key?: string, name = 'x') => client(key).apiKeys.create({ requestBody: { name } })
    await expect(create('sk-or-v1-wrong')).rejects.toMatchObject({ statusCode: 401, error: { code: 401 } })
    await expect(create(secret)).rejects.toMatchObject({ statusCode: 403, error: { code: 403 } })
    await expect(create(undefined, '')).rejects.toMatchObject({ statusCode: 400, error: { code: 400 } })
    sandbox.faults.add({ times: 1, effect: { kind: 'rate-limit', retryAfter: 1 } })
    await expect(create()).rejects.toMatchObject({ statusCode: 429, error: { code: 429 } })
    sandbox.faults.add({ times: 1, effect: { kind: 'error' } })
    await expect(create()).rejects.toMatchObject({ statusCode: 500, error: { code: 500 } })
  })

  test('reads the credits', async () => {
    const { data } = await client().credits.getCredits()
    expect(data.totalCredits).toBeGreaterThan(data.totalUsage)
  })

  test('makes, lists and assigns guardrails', async () => {
    const { guardrails } = client()
    const { data: made } = await guardrails.create({
      createGuardrailRequest: {
        name: 'cheap models',
        allowedModels: ['a/b'],
        limitUsd: 2,
        resetInterval: 'daily',
      },
    })
    expect((await guardrails.get({ id: made.id })).data).toEqual(made)
    const listed = []
    for await (const { result } of await guardrails.list({ limit: 1 })) listed.push(...result.data)
    expect(listed).toEqual([made])
    const keyHashes = sandbox.state
      .keys()
      .slice(0, 3)
      .map(({ hash }) => hash)
    const assigned = await guardrails.bulkAssignKeys({ id: made.id, bulkAssignKeysRequest: { keyHashes } })
    expect(assigned).toEqual({ assignedCount: 3 })
    const assignments = []
    for await (const { result } of await guardrails.listGuardrailKeyAssignments({ id: made.id, limit: 2 })) {
      assignments.push(...result.data)
    }
    expect(assignments.map(({ keyHash }) => keyHash)).toEqual(keyHashes)
    const one = { keyHashes: keyHashes.slice(0, 1) }
    const removed = await guardrails.bulkUnassignKeys({ id: made.id, bulkUnassignKeysRequest: one })
    expect(removed).toEqual({ unassignedCount: 1 })
    const all = []
    for await (const { result } of await guardrails.listKeyAssignments()) all.push(...result.data)
    expect(all).toEqual(assignments.slice(1))
    expect(await guardrails.delete({ id: made.id })).toEqual({ deleted: true })
  })

  test('makes and lists workspaces', async () => {
    const { workspaces } = client()
    const { data } = await workspaces.create({
      createWorkspaceRequest: { name: 'COMP1000', slug: 'comp1000' },
    })
    const listed = []
    for await (const { result } of await workspaces.list()) listed.push(...result.data)
    expect(listed.map(({ id }) => id)).toEqual([sandbox.state.defaultWorkspaceId, data.id])
  })
})
