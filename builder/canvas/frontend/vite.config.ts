import { defineConfig } from "vite";

// One ES file without chunks: Streamlit loads it from a blob, from where nothing relative can be reached.
export default defineConfig({
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    minify: true,
    sourcemap: false,
    reportCompressedSize: false,
    // In an ES library Vite keeps white space; here nobody bundles the file again.
    rolldownOptions: { output: { minify: true, codeSplitting: false } },
    lib: { entry: "src/index.tsx", formats: ["es"], fileName: () => "canvas.js" },
  },
});
