import * as Flags from '@oclif/core/flags'
import { expectLedger } from '../db/open.js'
import { needsAttention } from '../lib/core/check-report.js'
import type { CheckResult } from '../lib/core/results.js'
import { CheckJob } from '../lib/runs/check-job.js'
import { Session } from '../lib/runs/session.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, rosterFlag, workspaceFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { terminalWidth } from '../lib/terminal/table.js'
import { checkView } from '../lib/terminal/views/check-view.js'

export default class Check extends BaseCommand {
  static override summary = 'Show who has which key, and what it has spent.'
  static override description =
    'Fetches all keys from OpenRouter, matches them to the roster, brings the ledger up to date, and writes a snapshot. It never changes anything at OpenRouter.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --warn-at 80',
    '<%= config.bin %> <%= command.id %> --json | jq .counts',
  ]
  static override flags = {
    db: dbFlag,
    roster: rosterFlag,
    workspace: workspaceFlag,
    'warn-at': Flags.integer({
      summary: 'Point out students who have spent at least this percentage of their limit.',
      min: 1,
      max: 100,
      helpValue: 'PERCENT',
    }),
    'all-gone': Flags.boolean({
      summary: "Accept a list without any of the ledger's keys: they have really been deleted.",
      default: false,
    }),
    'exit-code': Flags.boolean({
      summary:
        'Exit with 3 if anything was changed without class-keys, or if students have no key or are past --warn-at.',
    }),
  }

  async run(): Promise<CheckResult> {
    const { flags } = await this.parse(Check)
    const wishes = { warnAt: flags['warn-at'], allGone: flags['all-gone'] }
    const account = accountFrom(process.env)
    // In the wrong folder nothing is there, and this is what to say of it.
    expectLedger(flags.db)
    const interrupt = listenForInterrupts()
    const session = new Session(account, interrupt)
    const job = new CheckJob(session)
    try {
      await runPipeline(
        [
          { title: 'Read the roster', run: () => job.read(flags.roster) },
          { title: 'Open the ledger', run: () => session.openToRead(flags.db, flags.workspace) },
          { title: 'Fetch the keys', run: (_, report) => job.fetch(report) },
          { title: 'Update the ledger', run: () => job.report(wishes) },
          { title: 'Write the snapshot', run: () => job.saveSnapshot() },
        ],
        {},
        this.progress(),
      )
    } finally {
      interrupt.dispose()
      await session.close()
    }
    const result = job.result()
    this.print(checkView(result, terminalWidth()))
    if (flags['exit-code'] && needsAttention(result)) process.exitCode = 3
    return result
  }
}
