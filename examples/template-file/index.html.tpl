<h1>${title}</h1>
<ul>
${join("\n", [for page in pages : "<li><a href=\"/${page}\">${page}</a></li>"])}
</ul>
