import * as Flags from '@oclif/core/flags'
import { ClassKeysError } from '../lib/core/errors.js'
import type { SandboxResult } from '../lib/core/results.js'
import { createSandbox } from '../lib/sandbox/sandbox.js'
import { serve } from '../lib/sandbox/serve.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { untilSignal } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { sandboxView } from '../lib/terminal/views/sandbox-view.js'

interface Context extends SandboxResult {
  close(): Promise<void>
}

export default class Sandbox extends BaseCommand {
  static override summary = 'Serve a simulated OpenRouter, to try everything without a management key.'
  static override description =
    'Serves on this machine alone, until Ctrl-C, and keeps nothing. Paste the two lines it prints into another terminal: every other command there talks to the sandbox.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --port 4010 --keys 120 --latency 50',
  ]
  static override flags = {
    port: Flags.integer({
      summary: 'The port; 0 is any free one.',
      default: 4010,
      min: 0,
      max: 65_535,
      helpValue: 'N',
    }),
    latency: Flags.integer({
      summary: 'Milliseconds before each answer.',
      default: 0,
      min: 0,
      helpValue: 'MS',
    }),
    keys: Flags.integer({
      summary: 'How many keys there are to begin with.',
      default: 0,
      min: 0,
      helpValue: 'N',
    }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Sandbox)
    const { keys, latency, port } = flags
    const context = await runPipeline<Context>(
      [
        {
          title: 'Start the sandbox',
          run: async (ctx) => {
            const sandbox = createSandbox({ keys, latency })
            Object.assign(ctx, await listen(sandbox, port), { keys, managementKey: sandbox.managementKey })
            return ctx.url
          },
        },
      ],
      {} as Context,
      this.progress(),
    )
    const { url, managementKey } = context
    const result: SandboxResult = { url, managementKey, keys }
    if (this.jsonEnabled()) this.logJson(result)
    this.print(sandboxView(result))
    this.remark([
      '',
      'Paste these two lines into another terminal. Ctrl-C ends the sandbox, and with it all its keys.',
    ])
    await untilSignal()
    await context.close()
  }
}

/** @throws ClassKeysError `port_taken` */
async function listen(sandbox: ReturnType<typeof createSandbox>, port: number) {
  try {
    return await serve(sandbox, { port })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
    const message = `Port ${port} cannot be used (${code}). Choose another with --port; --port 0 takes any free one.`
    throw new ClassKeysError('port_taken', message)
  }
}
