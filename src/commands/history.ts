import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import type { Ledger } from '../db/ledger.js'
import { openLedger } from '../db/open.js'
import { refuseNobody } from '../lib/core/find-student.js'
import { filterHistory, historyLine } from '../lib/core/history.js'
import type { HistoryLine, HistoryResult } from '../lib/core/results.js'
import { studentRef } from '../lib/core/student.js'
import { count } from '../lib/core/words.js'
import { historyCsv } from '../lib/files/history-csv.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, sinceFlag } from '../lib/terminal/flags.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { historyView } from '../lib/terminal/views/history-view.js'

interface Context {
  ledger: Ledger
  entries: HistoryLine[]
}

export default class History extends BaseCommand {
  static override summary = 'Show who changed what, and when.'
  static override description =
    'Shows the changelog of the ledger, the newest change first: what class-keys did, and what it saw that others had done. Needs neither the network nor a management key, and still tells about keys that have been deleted.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> ada.quill@students.mq.edu.au --since 7d',
    '<%= config.bin %> <%= command.id %> --action update_limit --csv > limits-changed.csv',
  ]
  static override args = {
    student: Args.string({
      description: "A student's address, MQ ID, or a part of the name. Without it, everybody.",
    }),
  }
  static override flags = {
    db: dbFlag,
    since: sinceFlag,
    action: Flags.string({
      summary: 'Only this action, such as provisioned or update_limit.',
      helpValue: 'NAME',
    }),
    csv: Flags.boolean({ summary: 'Print CSV, times in UTC.', exclusive: ['json'] }),
  }

  async run(): Promise<HistoryResult> {
    const { args, flags } = await this.parse(History)
    const filter = { student: args.student, since: flags.since, action: flags.action }
    const context = {} as Context
    try {
      await runPipeline<Context>(
        [
          {
            title: 'Read the ledger',
            run: async (ctx) => {
              ctx.ledger = await openLedger(flags.db)
              const all = await ctx.ledger.history()
              if (filter.student !== undefined) {
                // Somebody to whom nothing has happened yet is no mistake.
                const known = (await ctx.ledger.students()).map(studentRef)
                refuseNobody([...known, ...all.flatMap(({ student }) => student ?? [])], filter.student)
              }
              ctx.entries = filterHistory(all, filter).map(historyLine)
              return count(ctx.entries.length, 'change')
            },
          },
        ],
        context,
        this.progress(),
      )
    } finally {
      await context.ledger?.close()
    }
    const { entries } = context
    if (flags.csv) this.log(historyCsv(entries).trimEnd())
    else this.print(historyView(entries))
    return { entries }
  }
}
