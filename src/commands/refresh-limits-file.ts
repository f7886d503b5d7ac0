import { expectLedger } from '../db/open.js'
import type { RefreshResult } from '../lib/core/results.js'
import { RefreshJob } from '../lib/runs/refresh-job.js'
import { Session } from '../lib/runs/session.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, limitsFlag, rosterFlag, workspaceFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { terminalWidth } from '../lib/terminal/table.js'
import { refreshView } from '../lib/terminal/views/update-view.js'

export default class RefreshLimitsFile extends BaseCommand {
  static override summary = 'Rewrite the limits file from what OpenRouter says.'
  static override description =
    'Fetches all keys and writes the limits file with one row for each key of the class. The targets that you have written stay. Lists where target and actual differ. It never changes anything at OpenRouter.'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = { db: dbFlag, roster: rosterFlag, limits: limitsFlag, workspace: workspaceFlag }

  async run(): Promise<RefreshResult> {
    const { flags } = await this.parse(RefreshLimitsFile)
    const account = accountFrom(process.env)
    // In the wrong folder nothing is there, and this is what to say of it.
    expectLedger(flags.db)
    const interrupt = listenForInterrupts()
    const session = new Session(account, interrupt)
    const job = new RefreshJob(session)
    try {
      await runPipeline(
        [
          { title: 'Read the limits', run: () => job.read(flags.limits) },
          { title: 'Open the ledger', run: () => session.openToRead(flags.db, flags.workspace) },
          { title: 'Read the roster', run: () => job.findClass(flags.roster) },
          { title: 'Fetch the keys', run: (_, report) => job.fetch(report) },
          { title: 'Compare', run: () => job.makePlan() },
          { title: 'Write the limits', run: () => job.saveLimits(flags.limits) },
        ],
        {},
        this.progress(),
      )
    } finally {
      interrupt.dispose()
      await session.close()
    }
    const result = job.result()
    this.print(refreshView(result, terminalWidth()))
    return result
  }
}
