import { describe, expect, test } from 'vitest'
import { createSandbox } from '../../src/lib/sandbox/sandbox.js'
import { ask } from './asking.js'

function fill(keys = 3) {
  const sandbox = createSandbox()
  const hashes = Array.from(
    { length: keys },
    (_, index) => sandbox.state.addKey({ name: `key ${index}` }).hash,
  )
  const cheap = sandbox.state.addGuardrail({ name: 'cheap models', allowed_models: ['a/b'] })
  const none = sandbox.state.addGuardrail({ name: 'anything goes' })
  const assign = (id: string, key_hashes: string[]) =>
    ask(sandbox, 'POST', `/guardrails/${id}/assignments/keys`, { body: { key_hashes } })
  return { sandbox, hashes, cheap, none, assign }
}

describe('guardrails', () => {
  test('are made, listed, shown and deleted', async () => {
    const { sandbox, cheap, none } = fill()
    const made = await ask(sandbox, 'POST', '/guardrails', {
      body: { name: 'new', limit_usd: 2, reset_interval: 'daily', allowed_models: ['a/b'] },
    })
    expect(made.status).toBe(201)
    expect(made.body.data).toMatchObject({
      name: 'new',
      limit_usd: 2,
      workspace_id: sandbox.state.defaultWorkspaceId,
    })
    const list = await ask(sandbox, 'GET', '/guardrails')
    expect(list.body).toEqual({ data: [cheap, none, made.body.data], total_count: 3 })
    const page = await ask(sandbox, 'GET', '/guardrails?offset=1&limit=1')
    expect(page.body).toEqual({ data: [none], total_count: 3 })
    expect((await ask(sandbox, 'GET', `/guardrails/${cheap.id}`)).body).toEqual({ data: cheap })
    expect((await ask(sandbox, 'DELETE', `/guardrails/${cheap.id}`)).body).toEqual({ deleted: true })
    expect((await ask(sandbox, 'GET', `/guardrails/${cheap.id}`)).status).toBe(404)
  })

  test('belong to a workspace', async () => {
    const { sandbox } = fill()
    const { id } = sandbox.state.addWorkspace({ name: 'COMP1000', slug: 'comp1000' })
    await ask(sandbox, 'POST', '/guardrails', { body: { name: 'of the class', workspace_id: id } })
    const list = await ask(sandbox, 'GET', `/guardrails?workspace_id=${id}`)
    expect(list.body.data).toMatchObject([{ name: 'of the class' }])
    expect((await ask(sandbox, 'GET', '/guardrails')).body.total_count).toBe(2)
  })

  test.each([
    [{}, /^name/],
    [{ name: 'x', models: [] }, /^models: unknown/],
    [{ name: 'x', limit_usd: '2' }, /^limit_usd/],
    [{ name: 'x', allowed_models: [] }, /^allowed_models/],
    [
      { name: 'x', content_filters: [{ pattern: 'x', action: 'block', why: '' }] },
      /^content_filters\.0\.why: unknown/,
    ],
    [{ name: 'x', workspace_id: '11111111-1111-4111-8111-111111111111' }, /^workspace_id/],
  ])('are refused as %j', async (body, message) => {
    const answer = await ask(fill().sandbox, 'POST', '/guardrails', { body })
    expect(answer.status).toBe(400)
    expect(answer.body.error.message).toMatch(message)
  })
})

describe('assignments', () => {
  test('are counted, each key once, unknown ones not at all', async () => {
    const { sandbox, hashes, cheap, assign } = fill()
    const [a = '', b = ''] = hashes
    const answer = await assign(cheap.id, [a, b, a, 'unknown'])
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: { assigned_count: 2 } })
    expect(hashes.map((hash) => sandbox.state.guardrailOf(hash))).toEqual([cheap.id, cheap.id, undefined])
  })

  test('replace: a key has one guardrail', async () => {
    const { sandbox, hashes, cheap, none, assign } = fill()
    await assign(cheap.id, hashes)
    await assign(none.id, hashes.slice(0, 1))
    const list = async (path: string) =>
      (await ask(sandbox, 'GET', path)).body.data.map((each: { key_hash: string }) => each.key_hash)
    expect(await list(`/guardrails/${cheap.id}/assignments/keys`)).toEqual(hashes.slice(1))
    expect(await list(`/guardrails/${none.id}/assignments/keys`)).toEqual(hashes.slice(0, 1))
    expect(await list('/guardrails/assignments/keys')).toHaveLength(3)
  })

  test('are shown with the name and label of the key', async () => {
    const { sandbox, hashes, cheap, assign } = fill(1)
    const [hash = ''] = hashes
    await assign(cheap.id, [hash])
    const { body } = await ask(sandbox, 'GET', '/guardrails/assignments/keys')
    const { name, label } = sandbox.state.key(hash) ?? {}
    expect(body).toMatchObject({
      data: [{ key_hash: hash, guardrail_id: cheap.id, key_name: name, key_label: label }],
      total_count: 1,
    })
  })

  test('come in pages of 50, or as many as asked', async () => {
    const { sandbox, hashes, cheap, assign } = fill(120)
    await assign(cheap.id, hashes)
    const count = async (query: string) => {
      const { body } = await ask(sandbox, 'GET', `/guardrails/assignments/keys${query}`)
      return [body.data.length, body.total_count]
    }
    expect(await count('')).toEqual([50, 120])
    expect(await count('?limit=100')).toEqual([100, 120])
    expect(await count('?limit=100&offset=100')).toEqual([20, 120])
    for (const query of ['?limit=101', '?limit=0', '?offset=-1', '?page=2']) {
      expect((await ask(sandbox, 'GET', `/guardrails/assignments/keys${query}`)).status).toBe(400)
    }
  })

  test('are removed: by name, with the key, with the guardrail', async () => {
    const { sandbox, hashes, cheap, none, assign } = fill()
    const [a = '', b = '', c = ''] = hashes
    await assign(cheap.id, [a, b])
    await assign(none.id, [c])
    const remove = `/guardrails/${cheap.id}/assignments/keys/remove`
    const answer = await ask(sandbox, 'POST', remove, { body: { key_hashes: [a, c, 'unknown'] } })
    expect(answer.body).toEqual({ unassigned_count: 1 })
    expect(hashes.map((hash) => sandbox.state.guardrailOf(hash))).toEqual([undefined, cheap.id, none.id])
    await ask(sandbox, 'DELETE', `/keys/${b}`)
    await ask(sandbox, 'DELETE', `/guardrails/${none.id}`)
    expect((await ask(sandbox, 'GET', '/guardrails/assignments/keys')).body).toEqual({
      data: [],
      total_count: 0,
    })
  })

  test.each([{}, { key_hashes: [] }, { key_hashes: 'x' }, { key_hashes: ['x'], all: true }])(
    'are refused as %j',
    async (body) => {
      const { sandbox, cheap } = fill()
      expect((await ask(sandbox, 'POST', `/guardrails/${cheap.id}/assignments/keys`, { body })).status).toBe(
        400,
      )
    },
  )

  test('need a guardrail', async () => {
    const { assign, hashes } = fill()
    expect((await assign('11111111-1111-4111-8111-111111111111', hashes)).status).toBe(404)
  })
})
