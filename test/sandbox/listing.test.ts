import { describe, expect, test } from 'vitest'
import { createSandbox, type Sandbox } from '../../src/lib/sandbox/sandbox.js'
import { ask, sandboxAt } from './asking.js'

async function names(sandbox: Sandbox, query = ''): Promise<string[]> {
  const { body } = await ask(sandbox, 'GET', `/keys${query}`)
  return body.data.map(({ name }: { name: string }) => name)
}

function numbered(count: number) {
  const sandbox = createSandbox()
  const hashes = Array.from({ length: count }, (_, index) => sandbox.state.addKey({ name: `${index}` }).hash)
  return { sandbox, hash: (index: number) => hashes[index] ?? '' }
}

const countdown = (from: number, to: number) =>
  Array.from({ length: from - to + 1 }, (_, index) => `${from - index}`)

describe('pages', () => {
  test('of 100, newest first, then what is left, then nothing', async () => {
    const { sandbox } = numbered(250)
    expect(await names(sandbox)).toEqual(countdown(249, 150))
    expect(await names(sandbox, '?offset=0')).toEqual(countdown(249, 150))
    expect(await names(sandbox, '?offset=100')).toEqual(countdown(149, 50))
    expect(await names(sandbox, '?offset=99')).toEqual(countdown(150, 51))
    expect(await names(sandbox, '?offset=200')).toEqual(countdown(49, 0))
    expect(await names(sandbox, '?offset=249')).toEqual(['0'])
    expect(await names(sandbox, '?offset=250')).toEqual([])
    expect(await names(sandbox, '?offset=99999')).toEqual([])
  })

  test('leave disabled keys out, and count the offset without them', async () => {
    const { sandbox, hash } = numbered(203)
    for (const index of [202, 150, 0])
      await ask(sandbox, 'PATCH', `/keys/${hash(index)}`, { body: { disabled: true } })
    const enabled = countdown(202, 0).filter((name) => !['202', '150', '0'].includes(name))
    expect(await names(sandbox)).toEqual(enabled.slice(0, 100))
    expect(await names(sandbox, '?offset=100')).toEqual(enabled.slice(100))
    expect(await names(sandbox, '?include_disabled=false&offset=150')).toEqual(enabled.slice(150))
    expect(await names(sandbox, '?include_disabled=true&offset=103')).toEqual(countdown(99, 0))
  })

  test('have a key in its old place when it is enabled again', async () => {
    const { sandbox, hash } = numbered(3)
    await ask(sandbox, 'PATCH', `/keys/${hash(1)}`, { body: { disabled: true } })
    expect(await names(sandbox)).toEqual(['2', '0'])
    await ask(sandbox, 'PATCH', `/keys/${hash(1)}`, { body: { disabled: false } })
    await ask(sandbox, 'PATCH', `/keys/${hash(1)}`, { body: { disabled: false } })
    expect(await names(sandbox)).toEqual(['2', '1', '0'])
  })

  test('shift when keys come and go', async () => {
    const { sandbox, hash } = numbered(150)
    sandbox.state.addKey({ name: 'new' })
    expect((await names(sandbox, '?offset=100'))[0]).toBe('50')
    await ask(sandbox, 'DELETE', `/keys/${hash(149)}`)
    await ask(sandbox, 'DELETE', `/keys/${hash(148)}`)
    expect((await names(sandbox, '?offset=100'))[0]).toBe('48')
  })

  test('have a key that is put there as older in its place', async () => {
    const { sandbox, clock } = sandboxAt('2026-03-02T10:00:00Z')
    const old = { created_at: new Date('2026-02-01T00:00:00Z') }
    sandbox.state.addKey({ name: 'first' })
    sandbox.state.addKey({ name: 'old', ...old })
    sandbox.state.addKey({ name: 'old, too', ...old })
    sandbox.state.addKey({ name: 'older', created_at: new Date('2026-01-01T00:00:00Z') })
    clock.set('2026-03-02T09:00:00Z')
    sandbox.state.addKey({ name: 'made after the clock was put back' })
    const inOrder = ['made after the clock was put back', 'first', 'old, too', 'old', 'older']
    expect(await names(sandbox)).toEqual(inOrder)
    expect(sandbox.state.keys().map(({ name }) => name)).toEqual(inOrder)
  })
})

describe('workspaces', () => {
  test('are listed apart', async () => {
    const { sandbox } = sandboxAt('2026-03-02T10:00:00Z')
    const { id } = sandbox.state.addWorkspace({ name: 'COMP1000', slug: 'comp1000' })
    sandbox.state.addKey({ name: 'by default' })
    const made = await ask(sandbox, 'POST', '/keys', { body: { name: 'of the class', workspace_id: id } })
    expect(made.body.data.workspace_id).toBe(id)
    expect(await names(sandbox)).toEqual(['by default'])
    expect(await names(sandbox, `?workspace_id=${sandbox.state.defaultWorkspaceId}`)).toEqual(['by default'])
    expect(await names(sandbox, `?workspace_id=${id}`)).toEqual(['of the class'])
    const all = sandbox.state.keys()
    expect(new Set(all.map(({ created_at }) => created_at)).size).toBe(2)
  })

  test('that do not exist are not found', async () => {
    const answer = await ask(
      createSandbox(),
      'GET',
      '/keys?workspace_id=11111111-1111-4111-8111-111111111111',
    )
    expect(answer.status).toBe(404)
    expect(answer.body.error.message).toMatch(/^workspace_id/)
  })
})

test('50,000 keys are listed in a couple of seconds', async () => {
  const sandbox = createSandbox({ keys: 50_000 })
  const started = performance.now()
  const hashes = new Set<string>()
  for (let offset = 0; ; offset += 100) {
    const { body } = await ask(sandbox, 'GET', `/keys?include_disabled=true&offset=${offset}`)
    for (const { hash } of body.data) hashes.add(hash)
    if (body.data.length < 100) break
  }
  expect(hashes.size).toBe(50_000)
  expect(performance.now() - started).toBeLessThan(5000)
})
