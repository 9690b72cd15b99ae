import type { GalleryItem, NetworkJson, Project } from "../types";

/** Whether more than half of a starter project's blocks stand in one of the networks, under their names and of their kinds. */
export function standsIn(item: GalleryItem, networks: readonly NetworkJson[]): boolean {
  const blocks = Object.entries(item.blocks ?? {});
  return networks.some((network) => {
    const kinds = new Map(network.nodes.map((n) => [n.id, n.block]));
    return 2 * blocks.filter(([id, block]) => kinds.get(id) === block).length > blocks.length;
  });
}

/**
 * The starter project whose network stands in a project: the one that it bears the name of, or the one known as its
 * origin. Names alone say little: data that bring another network leave the name, and a renamed project keeps its network.
 */
export function originOf(project: Project, gallery: readonly GalleryItem[], known?: string): GalleryItem | undefined {
  const named = gallery.find((i) => i.label === project.name || i.name === project.name);
  const networks = Object.values(project.networks);
  return [named, gallery.find((i) => i.name === known)].find((item) => item && standsIn(item, networks));
}
