/** What a piece of work wrote on the two streams of the process. */
export interface Captured {
  stdout: string
  stderr: string
}

type Stream = typeof process.stdout | typeof process.stderr

/**
 * Runs some work and keeps what it writes from the terminal.
 * @param onOutput is told everything that has come so far, for work that ends only when it is told to
 */
export async function capture(
  work: () => Promise<void>,
  onOutput: (so_far: Captured) => void = () => {},
): Promise<Captured> {
  const captured: Captured = { stdout: '', stderr: '' }
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const stream: Stream = process[name]
    const original = stream.write
    stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      captured[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
      const done = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined
      done?.()
      onOutput(captured)
      return true
    }) as typeof stream.write
    return () => {
      stream.write = original
    }
  })
  try {
    await work()
  } finally {
    for (const each of restore) each()
  }
  return captured
}
