import { Agent, request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { createSandbox, type SandboxOptions } from '../../src/lib/sandbox/sandbox.js'
import { type ServedSandbox, serve } from '../../src/lib/sandbox/serve.js'

const open: ServedSandbox[] = []
afterEach(async () => {
  for (const served of open.splice(0)) await served.close()
})

async function started(options: SandboxOptions = {}) {
  const sandbox = createSandbox(options)
  const served = await serve(sandbox)
  open.push(served)
  const headers = { authorization: `Bearer ${sandbox.managementKey}` }
  const get = (path: string) => fetch(`${served.url}${path}`, { headers })
  return { sandbox, served, headers, get }
}

const toJson = async (response: Response) => (await response.json()) as { data: unknown[] }

describe('serving', () => {
  test('gives an address on this machine, and the same answers as the handler', async () => {
    const { sandbox, served, get, headers } = await started({ keys: 120 })
    expect(served.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/api\/v1$/)
    const response = await get('/keys?offset=100&include_disabled=true')
    const direct = await sandbox.fetch(
      new Request('http://host/api/v1/keys?offset=100&include_disabled=true', { headers }),
    )
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual(await direct.json())
    expect((await fetch(`${served.url}/keys`)).status).toBe(401)
    expect((await fetch(new URL('/', served.url))).status).toBe(404)
  })

  test('takes bodies of any length, in any script', async () => {
    const { served, headers } = await started()
    const name = `20260302_Ζωή ${'x'.repeat(200_000)}_48200001`
    const response = await fetch(`${served.url}/keys`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ name }),
    })
    expect(response.status).toBe(201)
    expect(await response.json()).toMatchObject({ data: { name } })
  })

  test('answers many at once', async () => {
    const { get } = await started({ keys: 250, latency: 100 })
    const start = performance.now()
    const all = await Promise.all(Array.from({ length: 200 }, () => get('/keys').then(toJson)))
    expect(all.every(({ data }) => data.length === 100)).toBe(true)
    // One after another they would take 20 seconds.
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  test('keeps connections alive', async () => {
    const { served, headers } = await started()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const reused = () =>
      new Promise<boolean>((resolve, reject) => {
        const asked = request(`${served.url}/keys`, { agent, headers }, (response) => {
          response.resume().on('end', () => resolve(asked.reusedSocket))
        })
        asked.on('error', reject).end()
      })
    expect([await reused(), await reused(), await reused()]).toEqual([false, true, true])
    agent.destroy()
  })

  test('ends at once, though connections are open and answers under way', async () => {
    const { sandbox, served, get } = await started()
    await get('/keys').then((response) => response.text())
    sandbox.faults.add({ effect: { kind: 'hang' } })
    const hanging = get('/keys').catch((error: Error) => error)
    while (sandbox.state.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    const start = performance.now()
    await served.close()
    open.splice(0)
    expect(performance.now() - start).toBeLessThan(500)
    expect(await hanging).toBeInstanceOf(Error)
    await expect(get('/keys')).rejects.toThrow()
  })

  test('tells the handler that the client has gone', async () => {
    const gone = new Promise<void>((resolve) => {
      const wait = ({ signal }: Request) =>
        new Promise<Response>((answer) => {
          signal.addEventListener('abort', () => {
            resolve()
            answer(Response.error())
          })
        })
      void serve({ fetch: wait }).then(async (served) => {
        open.push(served)
        await fetch(served.url, { signal: AbortSignal.timeout(50) }).catch(() => {})
      })
    })
    await gone
  })

  test('says when the port is taken', async () => {
    const { sandbox, served } = await started()
    const port = Number(new URL(served.url).port)
    await expect(serve(sandbox, { port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})
