/** Line plots as SVG text: logarithmic across, from zero upwards, readable on light and on dark pages. */

export interface Line {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

export interface Plot {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly lines: ReadonlyArray<Line>
}

const width = 720
const height = 400
const box = { left: 70, right: width - 110, top: 50, bottom: height - 55 }
const colors = ["#2a7ae2", "#8a8f98", "#d1602f", "#2f9e6e", "#9a5bc4", "#b8960c", "#c2407a", "#4b5a6a"]

/** Round numbers from 0 to at least `most`, four to eight of them. */
export const ticks = (most: number): ReadonlyArray<number> => {
  if (!(most > 0)) return [0, 1]
  const power = 10 ** Math.floor(Math.log10(most))
  const step = [0.2, 0.5, 1, 2].map((factor) => factor * power).find((step) => most / step <= 7)!
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(6)))
}

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const text = (x: number, y: number, content: string, attributes = "") =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escape(content)}</text>`

/** The plot as the text of an SVG file. */
export const render = ({ lines, title, x, y }: Plot): string => {
  const all = lines.flatMap(({ points }) => points)
  const columns = [...new Set(all.map(([x]) => x))].sort((one, other) => one - other)
  const rows = ticks(Math.max(...all.map(([, y]) => y), 0))
  const [least = 1, most = 1] = [columns[0], columns.at(-1)]
  const across = (value: number) =>
    least === most ? box.left : box.left + (Math.log(value / least) / Math.log(most / least)) * (box.right - box.left)
  const up = (value: number) => box.bottom - (value / rows.at(-1)!) * (box.bottom - box.top)
  // A column is named where the name before it leaves room.
  const named = columns.reduce<ReadonlyArray<number>>(
    (taken, column) => (taken.length > 0 && across(column) - across(taken.at(-1)!) < 45 ? taken : [...taken, column]),
    []
  )
  // Names at the ends of lines keep apart.
  let below = Number.NEGATIVE_INFINITY
  const names = new Map(
    lines
      .map((line, index) => ({ index, at: up(line.points.at(-1)?.[1] ?? 0) + 4 }))
      .sort((one, other) => one.at - other.at)
      .map(({ at, index }) => [index, (below = Math.max(at, below + 15))])
  )
  const body = [
    text(box.left, 26, title, 'font-size="15" font-weight="600"'),
    ...rows.map(
      (row) =>
        `<path d="M${box.left} ${up(row).toFixed(1)}H${box.right}" stroke="#8a8f98" stroke-opacity=".3"/>` +
        text(box.left - 8, up(row) + 4, row.toLocaleString("en"), 'text-anchor="end"')
    ),
    ...named.map((column) =>
      text(across(column), box.bottom + 18, column.toLocaleString("en"), 'text-anchor="middle"')
    ),
    text((box.left + box.right) / 2, height - 14, x, 'text-anchor="middle"'),
    text(0, 0, y, `text-anchor="middle" transform="translate(16 ${(box.top + box.bottom) / 2}) rotate(-90)"`),
    ...lines.map(({ name, points }, index) => {
      const color = colors[index % colors.length]!
      const path = points.map(([x, y], nth) => `${nth === 0 ? "M" : "L"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`)
      const dots = points.map(
        ([x, y]) => `<circle cx="${across(x).toFixed(1)}" cy="${up(y).toFixed(1)}" r="2.5" fill="${color}"/>`
      )
      return (
        `<path d="${path.join("")}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join("")}` +
        text(across(points.at(-1)?.[0] ?? least) + 8, names.get(index)!, name, `style="fill:${color}"`)
      )
    })
  ]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui,sans-serif" font-size="12">`,
    `<title>${escape(title)}</title>`,
    "<style>text{fill:#57606a}@media(prefers-color-scheme:dark){text{fill:#adbac7}}</style>",
    ...body,
    "</svg>",
    ""
  ].join("\n")
}
