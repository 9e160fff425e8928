[inputs: ["mix.exs", "soak.exs", "{support,soak,test}/**/*.{ex,exs}"], line_length: 100]
