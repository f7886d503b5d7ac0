import type { Ledger } from '../db/ledger.js'
import { openLedger } from '../db/open.js'
import type { RefreshResult } from '../lib/core/results.js'
import { OpenRouter } from '../lib/openrouter/client.js'
import { LimitsJob } from '../lib/runs/limits-job.js'
import { fetchKeys, type Listed } from '../lib/runs/listing.js'
import { chooseWorkspace } from '../lib/runs/workspace.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, limitsFlag, rosterFlag, workspaceFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { terminalWidth } from '../lib/terminal/table.js'
import { refreshView } from '../lib/terminal/views/update-view.js'

interface Context {
  job: LimitsJob
  ledger: Ledger
  listed: Listed
  rows: number
}

export default class RefreshLimitsFile extends BaseCommand {
  static override summary = 'Rewrite the limits file from what OpenRouter says.'
  static override description =
    'Fetches all keys and writes the limits file with one row for each key of the class. The targets that you have written stay. Lists where target and actual differ. It never changes anything at OpenRouter.'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = { db: dbFlag, roster: rosterFlag, limits: limitsFlag, workspace: workspaceFlag }

  async run(): Promise<RefreshResult> {
    const { flags } = await this.parse(RefreshLimitsFile)
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts()
    const openRouter = new OpenRouter(account, { signal: interrupt.stopping })
    const context = { job: new LimitsJob() } as Context
    try {
      await runPipeline<Context>(
        [
          { title: 'Read the limits', run: ({ job }) => job.read(flags.limits, { mustExist: false }) },
          {
            title: 'Open the ledger',
            run: async (ctx) => {
              ctx.ledger = await openLedger(flags.db)
              await interrupt.orStop(chooseWorkspace(openRouter, ctx.ledger, flags.workspace))
              return flags.db
            },
          },
          { title: 'Read the roster', run: ({ job, ledger }) => job.findClass(ledger, flags.roster) },
          {
            title: 'Fetch the keys',
            run: async (ctx, report) => {
              ctx.listed = await interrupt.orStop(fetchKeys(openRouter, (n) => report(String(n))))
              return String(ctx.listed.keys.length)
            },
          },
          { title: 'Compare', run: ({ job, listed }) => job.makePlan(listed, { toApply: false }) },
          {
            title: 'Write the limits',
            run: async (ctx) => {
              ctx.rows = await ctx.job.save(flags.limits)
              return flags.limits
            },
          },
        ],
        context,
        this.progress(),
      )
    } finally {
      interrupt.dispose()
      await context.ledger?.close()
    }
    const { job, rows } = context
    const { plan, drift } = job
    const result = { plan, rows, drift, files: { limits: flags.limits }, retries: openRouter.retries }
    this.print(refreshView(result, terminalWidth()))
    return result
  }
}
