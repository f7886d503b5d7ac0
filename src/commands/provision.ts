import type { ProvisionPlan } from '../lib/core/provision-plan.js'
import type { ProvisionResult } from '../lib/core/results.js'
import { ProvisionJob } from '../lib/runs/provision-job.js'
import { Session } from '../lib/runs/session.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import {
  concurrencyFlag,
  dbFlag,
  dryRunFlag,
  limitsFlag,
  rosterFlag,
  usdFlag,
} from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { terminalWidth } from '../lib/terminal/table.js'
import { provisionPlanView, provisionView } from '../lib/terminal/views/provision-view.js'

export default class Provision extends BaseCommand {
  static override summary = 'Make a key for each student who has none.'
  static override description =
    `Gives each student of the roster who has no key, enabled or disabled, one with the roster's budget and reset period, and writes the secrets of the new keys into a CSV file.

Whatever happens on the way, run the same command again: it settles what was left in doubt, and nobody ever gets a second key.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --limit 2.50',
  ]
  static override flags = {
    db: dbFlag,
    roster: rosterFlag,
    limits: limitsFlag,
    limit: usdFlag({ summary: "What each new key may spend, whatever the roster's budgets say." }),
    'dry-run': dryRunFlag,
    concurrency: concurrencyFlag,
  }

  async run(): Promise<ProvisionResult | ProvisionPlan> {
    const { flags } = await this.parse(Provision)
    const { 'dry-run': dryRun, concurrency, db, limit, limits, roster } = flags
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts(this.sayStopping)
    const session = new Session(account, interrupt, concurrency)
    const job = new ProvisionJob(session)
    try {
      await runPipeline<ProvisionJob>(
        [
          { title: 'Read the roster', run: () => job.read(roster, limits) },
          { title: 'Open the ledger', run: () => session.open(db, 'provision', dryRun) },
          { title: 'Fetch the keys', run: (_, report) => job.fetch(report) },
          { title: 'Plan', run: () => job.makePlan(roster, limit) },
        ],
        job,
        this.progress(),
      )
      if (dryRun) {
        this.print(provisionPlanView(job.plan, terminalWidth()))
        return job.plan
      }
      await runPipeline<ProvisionJob>(
        [
          { title: 'Make the keys', run: (_, report) => job.makeKeys(limits, report) },
          { title: 'Write the API keys', run: () => job.handOut() },
          {
            title: 'Write the limits and the snapshot',
            skip: () => job.endedEarly && 'not written, since the run ended early',
            run: () => job.saveFiles(limits),
          },
        ],
        job,
        this.progress(),
      )
      const result = job.result()
      this.print(provisionView(result))
      this.conclude(result, interrupt, job.run.stoppedBy)
      return result
    } finally {
      interrupt.dispose()
      await session.close()
    }
  }
}
