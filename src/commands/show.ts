import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import type { Ledger } from '../db/ledger.js'
import { openLedger } from '../db/open.js'
import { UsageError } from '../lib/core/errors.js'
import { findStudent } from '../lib/core/find-student.js'
import type { ShowResult } from '../lib/core/results.js'
import type { Person } from '../lib/core/student.js'
import { count } from '../lib/core/words.js'
import { OpenRouter } from '../lib/openrouter/client.js'
import { showStudent } from '../lib/runs/show-job.js'
import { chooseWorkspace } from '../lib/runs/workspace.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, workspaceFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { showView } from '../lib/terminal/views/show-view.js'

interface Context {
  ledger: Ledger
  student: Person
  result: ShowResult
}

export default class Show extends BaseCommand {
  static override summary = 'Show one student: keys, what is left, usage over time, history.'
  static override description =
    'Asks OpenRouter about the keys that the ledger knows the student to have. The secret is shown only with --reveal, and that is written into the changelog.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> ada.quill@students.mq.edu.au',
    '<%= config.bin %> <%= command.id %> 48200001 --reveal',
  ]
  static override args = {
    student: Args.string({ description: 'An address, an MQ ID, or a part of the name.', required: true }),
  }
  static override flags = {
    db: dbFlag,
    workspace: workspaceFlag,
    reveal: Flags.boolean({
      summary: 'Show the secret too, and write that into the changelog.',
      exclusive: ['json'],
    }),
  }

  async run(): Promise<ShowResult> {
    const { args, flags } = await this.parse(Show)
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts()
    const openRouter = new OpenRouter(account, { signal: interrupt.stopping })
    const context = {} as Context
    try {
      await runPipeline<Context>(
        [
          {
            title: 'Read the ledger',
            run: async (ctx) => {
              ctx.ledger = await openLedger(flags.db)
              await interrupt.orStop(chooseWorkspace(openRouter, ctx.ledger, flags.workspace))
              ctx.student = findStudent(await ctx.ledger.students(), args.student)
              return flags.db
            },
          },
          {
            title: 'Fetch the keys',
            run: async (ctx) => {
              const shown = showStudent(ctx.student, ctx.ledger, openRouter, new Date())
              ctx.result = await interrupt.orStop(shown)
              return count(ctx.result.keys.length, 'key')
            },
          },
        ],
        context,
        this.progress(),
      )
      this.print(showView(context.result))
      if (flags.reveal) this.print(['', ...(await reveal(context))])
      return context.result
    } finally {
      interrupt.dispose()
      await context.ledger?.close()
    }
  }
}

/**
 * The secrets of the keys that are still there, one line each; written down before they are shown.
 * @throws UsageError `no_key`, `secret_not_here`
 */
async function reveal({ ledger, student, result }: Context): Promise<string[]> {
  const there = new Set(result.keys.filter((key) => key.exists).map((key) => key.hash))
  if (there.size === 0) {
    throw new UsageError('no_key', `${student.email} has no key that is still in OpenRouter.`)
  }
  const keys = await ledger.keysOf(student.email)
  const held = keys.filter((key) => there.has(key.keyHash) && key.secret !== undefined)
  if (held.length === 0) {
    const message = `This ledger holds no secret of ${student.email}: the key was made elsewhere.`
    throw new UsageError('secret_not_here', message)
  }
  for (const key of held) await ledger.recordReveal(key.keyHash, new Date())
  return held.map((key) => `${key.keyName}  ${key.secret}`)
}
