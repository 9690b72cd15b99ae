import type { BlockJson, Catalogue } from "../types";

/** Blocks whose name, label, family or help holds the words, best first. */
export function searchBlocks(catalogue: Catalogue, query: string): [string, BlockJson][] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const all = Object.entries(catalogue.blocks);
  if (words.length === 0) return all;
  const scored = all.flatMap(([name, block]): { entry: [string, BlockJson]; score: number }[] => {
    let score = 0;
    for (const word of words) {
      const own = [name, block.label, block.stem].map((t) => t.toLowerCase());
      if (own.some((t) => t === word)) score += 100;
      else if (own.some((t) => t.startsWith(word))) score += 50;
      else if (own.some((t) => t.includes(word))) score += 20;
      else if (block.category.includes(word)) score += 8;
      else if (block.help.toLowerCase().includes(word)) score += 3;
      else return [];
    }
    return [{ entry: [name, block], score: score - name.length / 100 }];
  });
  return scored.sort((a, b) => b.score - a.score).map((s) => s.entry);
}
