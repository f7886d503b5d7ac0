import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runPipeline, type Step, sayInPipeline } from '../../src/lib/terminal/pipeline.js'
import { capture } from '../support/capture.js'

interface Context {
  done: string[]
}

const row = (title: string, what?: string): Step<Context> => ({
  title,
  run: async (context, report) => {
    report('half of it')
    context.done.push(title)
    return what
  },
})
const FAILING: Step<Context> = {
  title: 'Break',
  run: async () => {
    throw new Error('broken')
  },
}

/** Runs rows; gives what they did, what was written, and what was thrown. */
async function run(steps: readonly Step<Context>[], silent = false) {
  const context: Context = { done: [] }
  let thrown: unknown
  const output = await capture(async () => {
    await runPipeline(steps, context, { silent }).catch((error) => {
      thrown = error
    })
  })
  return { ...output, done: context.done, thrown }
}

describe('in a pipe', () => {
  beforeEach(() => {
    vi.stubEnv('CI', '1')
  })

  it('writes one line a row on standard error, with what came of it and without its progress', async () => {
    const { stdout, stderr, done, thrown } = await run([row('Fetch keys', '120 keys'), row('Write files')])
    expect(stderr).toBe('Fetch keys: 120 keys\nWrite files\n')
    expect(stdout).toBe('')
    expect(done).toEqual(['Fetch keys', 'Write files'])
    expect(thrown).toBeUndefined()
  })

  it('writes why a row has nothing to do, and does not run it', async () => {
    const steps: Step<Context>[] = [
      row('First'),
      { ...row('Second'), skip: ({ done }) => done.includes('First') && 'nothing to change' },
      { ...row('Third'), skip: ({ done }) => done.includes('Second') && 'never' },
      { ...row('Fourth'), skip: () => undefined },
    ]
    const { stderr, done } = await run(steps)
    expect(stderr).toBe('First\nSecond: nothing to change\nThird\nFourth\n')
    expect(done).toEqual(['First', 'Third', 'Fourth'])
  })

  it('ends with the first error, and throws it', async () => {
    const { stdout, stderr, done, thrown } = await run([row('First'), FAILING, row('Third')])
    expect(stderr).toBe('First\nBreak: failed\n')
    expect(stdout).toBe('')
    expect(done).toEqual(['First'])
    expect(thrown).toEqual(new Error('broken'))
  })

  it('runs the rows one after another', async () => {
    const order: string[] = []
    const slow = (title: string): Step<Context> => ({
      title,
      run: async () => {
        order.push(`${title} begins`)
        await new Promise(setImmediate)
        order.push(`${title} ends`)
        return undefined
      },
    })
    await run([slow('a'), slow('b')])
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  it('gives the context back', async () => {
    const context = { done: [] }
    await capture(async () => {
      expect(await runPipeline([row('a')], context, { silent: false })).toBe(context)
    })
  })
})

it('has no row to say something in where none is shown live', async () => {
  vi.stubEnv('CI', '1')
  const said: boolean[] = []
  const talk: Step<Context> = {
    title: 'Talk',
    run: async () => {
      said.push(sayInPipeline('stopping'))
      return undefined
    },
  }
  await run([talk])
  await run([talk], true)
  expect(said).toEqual([false, false])
})

describe('silent', () => {
  it('does the same and prints nothing', async () => {
    expect(await run([row('First', 'x'), { ...row('Second'), skip: () => 'no' }], true)).toEqual({
      stdout: '',
      stderr: '',
      done: ['First'],
      thrown: undefined,
    })
  })

  it('throws the first error and prints nothing', async () => {
    const { stdout, stderr, thrown } = await run([FAILING, row('Second')], true)
    expect([stdout, stderr]).toEqual(['', ''])
    expect(thrown).toEqual(new Error('broken'))
  })
})

describe('in a terminal', () => {
  const streams = [process.stdout, process.stderr]
  const before = streams.map(({ isTTY }) => isTTY)
  beforeEach(() => {
    vi.stubEnv('CI', '')
    for (const stream of streams) stream.isTTY = true
  })
  afterEach(() => {
    streams.forEach((stream, i) => {
      stream.isTTY = before[i] ?? false
    })
  })

  it('shows the rows on standard error, and leaves standard output to the answer', async () => {
    const { stdout, stderr, done } = await run([row('Fetch keys', '120 keys'), row('Write files')])
    expect(stderr).toContain('Fetch keys: 120 keys')
    expect(stderr).toContain('Write files')
    expect(stdout).toBe('')
    expect(done).toEqual(['Fetch keys', 'Write files'])
  })

  it('says something in the row that is at work, as long as it is', async () => {
    const said: boolean[] = []
    const talk: Step<Context> = {
      title: 'Make the keys',
      run: async (_, report) => {
        report('3 of 8')
        said.push(sayInPipeline('stopping'))
        report('4 of 8')
        await new Promise((resolve) => setTimeout(resolve, 250))
        return '4'
      },
    }
    const { stderr } = await run([talk])
    expect(said).toEqual([true])
    expect(stderr).toContain('Make the keys: 4 of 8 (stopping)')
    expect(stderr).toContain('Make the keys: 4\n')
    expect(sayInPipeline('too late')).toBe(false)
  })

  it('does not listen for signals, which are the command’s to handle', async () => {
    const listeners = process.listenerCount('SIGINT')
    let during = Number.NaN
    const watch: Step<Context> = {
      title: 'Watch',
      run: async () => {
        during = process.listenerCount('SIGINT')
        return undefined
      },
    }
    await run([watch])
    expect(during).toBe(listeners)
  })
})
