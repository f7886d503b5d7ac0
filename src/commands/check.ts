import * as Flags from '@oclif/core/flags'
import { openLedger } from '../db/open.js'
import { needsAttention } from '../lib/core/check-report.js'
import type { CheckResult } from '../lib/core/results.js'
import { count } from '../lib/core/words.js'
import { loadRosterIfThere } from '../lib/files/roster-file.js'
import { saveSnapshot } from '../lib/files/snapshot-file.js'
import { OpenRouter } from '../lib/openrouter/client.js'
import { type CheckJob, reportJob } from '../lib/runs/check-job.js'
import { fetchKeys } from '../lib/runs/listing.js'
import { chooseWorkspace } from '../lib/runs/workspace.js'
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
      summary: 'Point out who has spent this share of their limit, in percent.',
      min: 1,
      max: 100,
      helpValue: 'PERCENT',
    }),
    'all-gone': Flags.boolean({
      summary: 'Believe it where none of the keys of the ledger is in the account any more.',
      default: false,
    }),
    'exit-code': Flags.boolean({
      summary:
        'Exit with 3 if anything was changed without class-keys, or if students have no key or are past --warn-at.',
    }),
  }

  async run(): Promise<CheckResult> {
    const { flags } = await this.parse(Check)
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts()
    const openRouter = new OpenRouter(account, { signal: interrupt.stopping })
    const job = {} as CheckJob
    try {
      await runPipeline<CheckJob>(
        [
          {
            title: 'Read the roster',
            run: async () => {
              job.roster = await loadRosterIfThere(flags.roster)
              return job.roster ? count(job.roster.students.length, 'student') : `no ${flags.roster}`
            },
          },
          {
            title: 'Open the ledger',
            run: async () => {
              job.ledger = await openLedger(flags.db)
              await interrupt.orStop(chooseWorkspace(openRouter, job.ledger, flags.workspace))
              return flags.db
            },
          },
          {
            title: 'Fetch the keys',
            run: async (_, report) => {
              job.listed = await interrupt.orStop(fetchKeys(openRouter, (n) => report(String(n))))
              return String(job.listed.keys.length)
            },
          },
          {
            title: 'Update the ledger',
            run: async () =>
              count(
                (await reportJob(job, { warnAt: flags['warn-at'], allGone: flags['all-gone'] })).length,
                'change from outside',
                'changes from outside',
              ),
          },
          {
            title: 'Write the snapshot',
            run: async () => {
              job.snapshot = await saveSnapshot('.', job.matching.matched, new Date())
              await job.ledger.markTold(job.toldUpTo)
              return job.snapshot
            },
          },
        ],
        job,
        this.progress(),
      )
    } finally {
      interrupt.dispose()
      await job.ledger?.close()
    }
    const files = { snapshot: job.snapshot }
    const roster = job.roster ? flags.roster : null
    const result: CheckResult = { roster, ...job.report, files, retries: openRouter.retries }
    this.print(checkView(result, terminalWidth()))
    if (flags['exit-code'] && needsAttention(result)) process.exitCode = 3
    return result
  }
}
