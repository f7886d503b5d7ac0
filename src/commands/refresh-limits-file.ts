import { openLedger } from '../db/open.js'
import type { RefreshResult } from '../lib/core/results.js'
import { loadTargetsIfThere } from '../lib/files/limits-file.js'
import { OpenRouter } from '../lib/openrouter/client.js'
import { findClass, type LimitsJob, planJob, saveTargets } from '../lib/runs/limits-job.js'
import { fetchKeys } from '../lib/runs/listing.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, limitsFlag, rosterFlag } from '../lib/terminal/flags.js'
import { runPipeline, type Step } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { count, terminalWidth } from '../lib/terminal/table.js'
import { refreshView } from '../lib/terminal/views/update-view.js'

export default class RefreshLimitsFile extends BaseCommand {
  static override summary = 'Write the limits file anew from what OpenRouter says.'
  static override description =
    'Fetches all keys and writes the limits file with one row for each key of the class. What you have written as targets stays. Lists where target and actual differ. It never changes anything at OpenRouter.'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = { db: dbFlag, roster: rosterFlag, limits: limitsFlag }

  async run(): Promise<RefreshResult> {
    const { flags } = await this.parse(RefreshLimitsFile)
    const openRouter = new OpenRouter(accountFrom(process.env))
    const job = { files: {}, updates: { outcomes: [], changed: new Map() } } as unknown as LimitsJob
    const steps: Step<LimitsJob>[] = [
      {
        title: 'Read the limits',
        run: async () => {
          job.targets = await loadTargetsIfThere(flags.limits)
          return count(job.targets.length, 'row')
        },
      },
      {
        title: 'Open the ledger',
        run: async () => {
          job.ledger = await openLedger(flags.db)
          await findClass(job, flags.roster)
          return flags.db
        },
      },
      {
        title: 'Fetch the keys',
        run: async (_, report) => {
          job.listed = await fetchKeys(openRouter, (n) => report(String(n)))
          return String(job.listed.keys.length)
        },
      },
      {
        title: 'Compare',
        run: async () => count((await planJob(job)).changes.length, 'difference'),
      },
      {
        title: 'Write the limits',
        run: () => saveTargets(job, flags.limits),
      },
    ]
    try {
      await runPipeline(steps, job, this.progress())
    } finally {
      await job.ledger?.close()
    }
    const result = {
      plan: job.plan,
      rows: job.rows,
      files: { limits: flags.limits },
      retries: openRouter.retries,
    }
    this.print(refreshView(result, terminalWidth()))
    return result
  }
}
